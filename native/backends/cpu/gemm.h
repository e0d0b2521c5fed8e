// Matrix products with constant weights: weights are packed once into panels (layout in simd/float_kernels.h), rows of x
// are streamed past them. Numerics: one fma chain per output over ascending k from 0, then + bias, then the activation.
#pragma once

#include "backends/cpu/backend.h"

namespace silverlode::cpu {

inline int64_t panel_count(int64_t out_dim) { return (out_dim + kPanel - 1) / kPanel; }

// Size of `packed`: a multiple of 128 bytes.
inline size_t packed_bytes(int64_t out_dim, int64_t in_dim) {
  return static_cast<size_t>(panel_count(out_dim) * in_dim * kPanel) * sizeof(float);
}

// weight: float32, float16 or bfloat16 [out_dim, in_dim], rows `ld` elements apart; widened exactly. Panels lie
// `panel_stride` floats apart, which leaves room for weights on further inputs.
void pack_weights(const Context& context, const void* weight, DType dtype, int64_t out_dim, int64_t in_dim, int64_t ld,
                  float* packed, int64_t panel_stride);
inline void pack_weights(const Context& context, const void* weight, DType dtype, int64_t out_dim, int64_t in_dim,
                         int64_t ld, float* packed) {
  pack_weights(context, weight, dtype, out_dim, in_dim, ld, packed, in_dim * kPanel);
}

struct Gemm {
  const float* x;
  int64_t ldx;
  int64_t rows;
  const float* packed;
  const float* bias;  // may be null
  int64_t in_dim, out_dim;
  float* y;
  int64_t ldy;
  Activation activation;
};

// All rows on the pool. Inside a parallel section call runtime(context).simd.floats.gemm_packed on a block of rows instead.
void gemm(const Context& context, const Gemm& task);

}  // namespace silverlode::cpu
