// The kernels of over_arch beside its matrix products.
#pragma once

#include "backends/cuda/candidate_rows.h"
#include "ops/over_arch.h"

namespace silverlode::cuda {

// [i, f]: what is left of the first layer's input after folding.
inline int64_t folded_dim(const OverArch::Args& args) { return args.dim + args.n_features; }

// Rows of gathered inputs and of folded weights: for halves a whole number of 16-byte copies, the rest zeros.
inline int64_t folded_pitch(const OverArch::Args& args, DType dtype) {
  return dtype == DType::kF32 ? folded_dim(args) : (folded_dim(args) + 7) / 8 * 8;
}

// The first layer of each request of the span with its user folded in: W' [requests, out, pitch] of `dtype` and b'
// [requests, out] of `bias_dtype`; both float32 or the dtype of the layer.
Status fold(const Runtime& device, const OverArch::Args& args, const Span& span, DType dtype, void* weights, void* bias,
            DType bias_dtype);

}  // namespace silverlode::cuda
