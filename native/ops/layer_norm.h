// layer_norm over the last dimension: (x - mean) / sqrt(var + epsilon) * weight + bias.
//
//   x       float32 [..., D]
//   weight  float32 [D] optional      bias  float32 [D] optional
//   -> y    float32 [..., D]
//
// Mean and (biased) variance are accumulated in float64, ascending; (x - mean) / sqrt(var + epsilon) is computed in float64
// and rounded to float32 once, then weight and bias are one float32 operation each.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct LayerNorm {
  static constexpr const char* kName = "layer_norm";

  struct Params {
    double epsilon = 1e-5;
  };
  struct Args {
    const float* x;
    const float* weight;  // may be null
    const float* bias;    // may be null
    float* y;
    int64_t rows, dim;
    double epsilon;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
