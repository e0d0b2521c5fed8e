// Checks that `infer` functions share, with messages that name op, input, and what was expected and given.
#pragma once

#include <string>

#include "ops/op.h"

namespace silverlode {

// "[s1, 8, 128]": a symbolic dimension prints as s1, s2, ...
std::string shape_text(const Shape& shape);

// `min` to `max` inputs; trailing optional inputs may be left out or absent.
Status check_input_count(const char* op, Inputs inputs, size_t min, size_t max);
Status check_dtype(const char* op, const char* input, const TensorView& view, DType expected);
Status check_rank(const char* op, const char* input, const TensorView& view, int32_t rank);
Status check_min_rank(const char* op, const char* input, const TensorView& view, int32_t rank);
// Exact equality; equal symbols are equal dimensions.
Status check_shape(const char* op, const char* input, const TensorView& view, const Shape& expected);
// check_dtype, then check_shape.
Status check_tensor(const char* op, const char* input, const TensorView& view, DType dtype, const Shape& expected);

// An input that may be left out: absent when the list is shorter.
inline TensorView optional_input(Inputs inputs, size_t index) {
  return index < inputs.size() ? inputs[index] : TensorView{};
}

}  // namespace silverlode

// Returns from the enclosing function when a Status is an error.
#define SILVERLODE_RETURN_IF_ERROR(expression)                                      \
  do {                                                                              \
    if (::silverlode::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)
