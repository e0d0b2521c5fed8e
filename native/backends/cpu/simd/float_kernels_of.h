// The kernel table of one vector type. Only float_kernels_<isa>.cpp may include this.
#pragma once

#include "backends/cpu/simd/gemm_kernel.h"
#include "backends/cpu/simd/map_kernels.h"
#include "backends/cpu/simd/mixture_kernels.h"
#include "backends/cpu/simd/recall_kernels.h"

namespace silverlode::cpu {

template <class V>
struct FloatKernelsOf {
  static void gemm_packed(const float* x, int64_t ldx, int64_t rows, const float* packed, const float* bias,
                          int64_t in_dim, int64_t out_dim, float* y, int64_t ldy, Activation activation) {
    gemm_plain<V>(x, ldx, rows, packed, bias, in_dim, out_dim, y, ldy, activation == Activation::kRelu);
    if (activation == Activation::kNone || activation == Activation::kRelu) return;
    for (int64_t m = 0; m < rows; ++m) activate<V>(y + m * ldy, y + m * ldy, out_dim, activation);
  }

  static void add_scaled(const float* x, float weight, float* y, int64_t n) {
    map<V>([weight](V a, V sum) { return fma(V(weight), a, sum); }, y, n, x, static_cast<const float*>(y));
  }

  static void dequantize(const int8_t* x, float scale, float* y, int64_t n) {
    convert<V>([scale](const int8_t* from) { return V::load_int8(from) * V(scale); }, x, y, n);
  }
  static void widen_f16(const uint16_t* x, float* y, int64_t n) {
    convert<V>([](const uint16_t* from) { return V::load_f16(from); }, x, y, n);
  }
  static void widen_bf16(const uint16_t* x, float* y, int64_t n) {
    convert<V>([](const uint16_t* from) { return V::load_bf16(from); }, x, y, n);
  }

  static void fold_panel(const float* base, const float* crossed, const float* user, int64_t heads, int64_t dim,
                         float* folded) {
    constexpr int64_t kStep = V::kLanes < 8 ? 8 / V::kLanes : 2;  // vectors per row at once
    for (int64_t d = 0; d < dim; ++d) {
      for (int64_t n = 0; n < kPanel; n += kStep * V::kLanes) {
        V sums[kStep];
        for (int64_t c = 0; c < kStep; ++c) sums[c] = V::load(base + d * kPanel + n + c * V::kLanes);
        for (int64_t h = 0; h < heads; ++h) {
          const V value(user[h * dim + d]);
          const float* row = crossed + (h * dim + d) * kPanel + n;
          for (int64_t c = 0; c < kStep; ++c) sums[c] = fma(value, V::load(row + c * V::kLanes), sums[c]);
        }
        for (int64_t c = 0; c < kStep; ++c) sums[c].store(folded + d * kPanel + n + c * V::kLanes);
      }
    }
  }

  static constexpr FloatKernels kTable = {gemm_packed,  activate<V>,     unary<V>,        binary<V>,  ternary<V>,
                                          add_scaled,   dequantize,      widen_f16,       widen_bf16, fold_panel,
                                          row_norms<V>, softmax_mean<V>, expect_scores<V>};
};

}  // namespace silverlode::cpu
