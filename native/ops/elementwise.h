// elementwise: y = f(a) or f(a, b) for every element.
//
//   a  float32 [...]      b  float32: the shape of a, a suffix of it (repeated over the leading dimensions), or the shape of a
//                         with a last dimension of 1 (one number per row)
//   -> y  float32 [...]
//
// functions: add, multiply (binary); relu, gelu, silu, sigmoid, tanh (unary)
#pragma once

#include "ops/activation.h"
#include "ops/op.h"

namespace silverlode {

struct Elementwise {
  static constexpr const char* kName = "elementwise";

  enum class Function : int32_t { kAdd = 0, kMultiply, kRelu, kGelu, kSilu, kSigmoid, kTanh };
  struct Params {
    Function function = Function::kAdd;
  };
  struct Args {
    const float* a;
    const float* b;  // null for unary functions
    float* y;
    int64_t elements, b_elements;
    int64_t repeat;  // consecutive elements of a that share one of b
    Function function;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

// The activation that a unary function is. constexpr, so that CUDA kernels may call it too.
constexpr Activation activation_of(Elementwise::Function function) {
  switch (function) {
    case Elementwise::Function::kRelu: return Activation::kRelu;
    case Elementwise::Function::kGelu: return Activation::kGelu;
    case Elementwise::Function::kSilu: return Activation::kSilu;
    case Elementwise::Function::kSigmoid: return Activation::kSigmoid;
    case Elementwise::Function::kTanh: return Activation::kTanh;
    default: return Activation::kNone;
  }
}

}  // namespace silverlode
