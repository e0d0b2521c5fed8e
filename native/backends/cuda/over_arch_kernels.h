// The kernels of over_arch beside its matrix products.
#pragma once

#include "backends/cuda/runtime.h"
#include "ops/over_arch.h"

namespace silverlode::cuda {

// [i, f]: what is left of the first layer's input after folding.
inline int64_t folded_dim(const OverArch::Args& args) { return args.dim + args.n_features; }

// Rows of gathered inputs and of folded weights: for halves a whole number of 16-byte copies, the rest zeros.
inline int64_t folded_pitch(const OverArch::Args& args, DType dtype) {
  return dtype == DType::kF32 ? folded_dim(args) : (folded_dim(args) + 7) / 8 * 8;
}

// Candidates [begin, begin + candidates) of requests [first, first + requests).
struct Span {
  int64_t first, requests, begin, candidates;

  constexpr int64_t rows() const { return requests * candidates; }
};

// Raises where an index of a present candidate is out of range.
Status check_indices(const Runtime& device, const OverArch::Args& args);

// The first layer of each request of the span with its user folded in: W' [requests, out, pitch] of `dtype` and b'
// [requests, out] of `bias_dtype`; both float32 or the dtype of the layer.
Status fold(const Runtime& device, const OverArch::Args& args, const Span& span, DType dtype, void* weights, void* bias,
            DType bias_dtype);

// [i, f] of the span's candidates as `dtype` [rows, pitch]; zeros for a missing one.
Status gather(const Runtime& device, const OverArch::Args& args, const Span& span, DType dtype, void* x);

// 0 for the logits of the span's missing candidates.
Status clear_missing(const Runtime& device, const OverArch::Args& args, const Span& span);

}  // namespace silverlode::cuda
