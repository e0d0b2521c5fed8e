// Float kernels. Every level performs the same IEEE operations in the same order per element, so results are equal bit for
// bit: one fma chain per output over ascending k, our own exp, log, erf.
#pragma once

#include <cstdint>

#include "ops/activation.h"

namespace silverlode::cpu {

// Weights of a GEMM packed as panels of kPanel outputs: panel p holds [K][kPanel] floats, the tail zero-filled.
constexpr int64_t kPanel = 32;

struct FloatKernels {
  // y[m, n] = act(sum_k x[m, k] * W[n, k] + bias[n]) for `rows` rows; packed holds ceil(out_dim / kPanel) panels. ldx, ldy:
  // elements between rows. bias may be null. The chain starts at 0 and runs over ascending k.
  void (*gemm_packed)(const float* x, int64_t ldx, int64_t rows, const float* packed, const float* bias, int64_t in_dim,
                      int64_t out_dim, float* y, int64_t ldy, Activation activation);
  // y[i] = f(x[i]) in place allowed.
  void (*activate)(const float* x, float* y, int64_t n, Activation activation);
};

const FloatKernels& float_kernels_serial();
const FloatKernels& float_kernels_avx2();
const FloatKernels& float_kernels_avx512vnni();
const FloatKernels& float_kernels_neon();

}  // namespace silverlode::cpu
