// Float kernels. Every level performs the same IEEE operations in the same order per element, so results are equal bit for
// bit (NaN payloads aside): one fma chain per output over ascending k, our own exp, log, erf.
#pragma once

#include <cstdint>

#include "ops/activation.h"
#include "ops/value_model.h"

namespace silverlode::cpu {

// Weights of a GEMM packed as panels of kPanel outputs: panel p holds [K][kPanel] floats, the tail zero-filled.
constexpr int64_t kPanel = 32;

// What is known of clusters and of a query (ops/recall_estimate.h).
struct ClusterStats {
  const float* gain;
  const float* shift;
  const float* variance;
  const float* bias_variance;  // not read for l2, nor is query_norm
  float query_norm;            // |q|²
  bool l2;
};

struct ExpectedScores {
  float* expected;   // with what members without spread lack
  float* steepness;  // kTailSteps / spread
  float* ranked;     // what clusters are ranked by; may be the centroids' scores
};

// In all element-wise kernels y may be one of the inputs.
struct FloatKernels {
  // y[m, n] = act(sum_k x[m, k] * W[n, k] + bias[n]) for `rows` rows; packed holds ceil(out_dim / kPanel) panels. ldx, ldy:
  // elements between rows. bias may be null. The chain starts at 0 and runs over ascending k. Fastest when packed is
  // 64-byte aligned.
  void (*gemm_packed)(const float* x, int64_t ldx, int64_t rows, const float* packed, const float* bias, int64_t in_dim,
                      int64_t out_dim, float* y, int64_t ldy, Activation activation);
  // y[i] = f(x[i]).
  void (*activate)(const float* x, float* y, int64_t n, Activation activation);
  // y[i] = op(a[i]), op(a[i], b[i]), op(a[i], b[i], c[i]) for the operators of value_model.h with that many operands.
  void (*unary)(ValueOp op, const float* a, float* y, int64_t n);
  void (*binary)(ValueOp op, const float* a, const float* b, float* y, int64_t n);
  void (*ternary)(ValueOp op, const float* a, const float* b, const float* c, float* y, int64_t n);
  // y[i] = fma(weight, x[i], y[i])
  void (*add_scaled)(const float* x, float weight, float* y, int64_t n);
  // y[i] = float(x[i]) * scale
  void (*dequantize)(const int8_t* x, float scale, float* y, int64_t n);
  // Exact widening.
  void (*widen_f16)(const uint16_t* x, float* y, int64_t n);
  void (*widen_bf16)(const uint16_t* x, float* y, int64_t n);
  // One panel of over_arch's folded first layer: folded[d] = base[d], then fma(user[h, d], crossed[h, d], .) for ascending
  // h, for every row d of kPanel outputs. base: [dim][kPanel], crossed: [heads][dim][kPanel].
  void (*fold_panel)(const float* base, const float* crossed, const float* user, int64_t heads, int64_t dim,
                     float* folded);
  // mixture_of_logits.h says in which order these add: y[r] = |x[r]| for rows of `dim` elements back to back, and
  // sum_i softmax(gates)[i] * values[i].
  void (*row_norms)(const float* x, int64_t rows, int64_t dim, float* y);
  float (*softmax_mean)(const float* gates, const float* values, int64_t n);
  // Where the members of n clusters are expected to score, from the scores of their centroids.
  void (*expect_scores)(const ClusterStats& stats, const float* scores, int64_t n, const ExpectedScores& to);
};

const FloatKernels& float_kernels_serial();
const FloatKernels& float_kernels_avx2();
const FloatKernels& float_kernels_avx512vnni();
const FloatKernels& float_kernels_neon();

}  // namespace silverlode::cpu
