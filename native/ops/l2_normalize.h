// l2_normalize: rows divided by their Euclidean norm.
//
//   x  float32 [..., D]  ->  y  float32 [..., D]
//
// The sum of squares is accumulated in float64, ascending (contracts 1.1); y = float(x / sqrt(sum)) with one rounding to
// float32 of the float64 quotient. A zero row stays zero.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct L2Normalize {
  static constexpr const char* kName = "l2_normalize";

  struct Params {};
  struct Args {
    const float* x;
    float* y;
    int64_t rows, dim;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
