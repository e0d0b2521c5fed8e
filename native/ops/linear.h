// linear: y = activation(x W^T + b).
//
//   x       float32 [..., K]
//   weight  float32 | float16 | bfloat16 [N, K]   PyTorch layout
//   bias    float32 [N]  optional
//   -> y    float32 [..., N]
//
// CPU numerics: one fma chain per output over ascending k starting at 0, then + bias, then the activation; equal bits on
// every SIMD level, thread count and batch size. Half weights are widened exactly.
#pragma once

#include "ops/activation.h"
#include "ops/op.h"

namespace silverlode {

struct Linear {
  static constexpr const char* kName = "linear";

  struct Params {
    Activation activation = Activation::kNone;
  };
  struct Args {
    const float* x;
    const void* weight;
    const float* bias;  // may be null
    float* y;
    int64_t rows, in_dim, out_dim;
    DType weight_dtype;
    Activation activation;
    const void* prepared;  // weights packed by OpEntry::prepare, or null
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
