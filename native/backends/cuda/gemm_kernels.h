// The kernels behind make_tiled_gemm, and the one that finishes a library's products.
#pragma once

#include "backends/cuda/gemm.h"

namespace silverlode::cuda {

// Matrices of a batch are spread over grid.z as far as that reaches.
inline unsigned batch_grid(const GemmTask& task) {
  constexpr int64_t kMost = 65535;
  return static_cast<unsigned>(task.batch < kMost ? task.batch : kMost);
}

Status run_ffma(const Runtime& device, const GemmTask& task);

// float16 and bfloat16 on tensor cores; sm_80 and later.
Status run_mma(const Runtime& device, const GemmTask& task);

// Adds the bias and applies the activation of a task to the products in its y.
Status run_epilogue(const Runtime& device, const GemmTask& task);

}  // namespace silverlode::cuda
