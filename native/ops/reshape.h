// reshape: the same elements under another shape. A view: nothing runs and nothing is copied.
//
//   x  any dtype [...]  ->  y  [shape]   equal number of elements; dimensions of `shape` may be symbolic
#pragma once

#include "ops/op.h"

namespace silverlode {

struct Reshape {
  static constexpr const char* kName = "reshape";

  struct Params {
    Shape shape;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
};

}  // namespace silverlode
