// concat: tensors joined along the last dimension.
//
//   x_i  any dtype (the same) [..., D_i], 1 to 8 of them, equal leading dimensions  ->  y [..., sum D_i]
#pragma once

#include "ops/op.h"

namespace silverlode {

struct Concat {
  static constexpr const char* kName = "concat";
  static constexpr int32_t kMaxInputs = 8;

  struct Params {};
  struct Args {
    const uint8_t* x[kMaxInputs];
    int64_t row_bytes[kMaxInputs];
    uint8_t* y;
    int64_t rows;
    int32_t n_inputs;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
