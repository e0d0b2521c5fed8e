// A dense tensor somebody else owns. `data` is null while only shapes are being worked out.
#pragma once

#include "core/dtype.h"
#include "core/shape.h"

namespace silverlode {

struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kNone;
  Shape shape;

  // An optional input that was not given.
  bool absent() const { return dtype == DType::kNone; }
  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return shape.elements() * static_cast<int64_t>(dtype_size(dtype)); }

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace silverlode
