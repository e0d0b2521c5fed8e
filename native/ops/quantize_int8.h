// quantize_int8: rows of float32 to symmetric int8 with one scale per row (contracts 1.1).
//
//   values  float32 [..., D]      finite
//   -> quantized int8 [..., Dp]   Dp = D rounded up to `pad_to`, the tail is zero
//   -> scales    float32 [...]    max|x| / 127; 0 for a zero row
//
// q = rint(x / scale), ties to even, IEEE division, clamped to [-127, 127] (which matters for subnormal scales only); -128
// is never stored. A scale that underflows to 0 makes a zero row. NaN or Infinity: INVALID_ARGUMENT naming the first such
// row when the op runs, before any write.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct QuantizeInt8 {
  static constexpr const char* kName = "quantize_int8";

  struct Params {
    int64_t pad_to = 32;  // 1 keeps D
  };
  struct Args {
    const float* values;
    int8_t* quantized;
    float* scales;
    int64_t rows, dim, padded_dim;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
