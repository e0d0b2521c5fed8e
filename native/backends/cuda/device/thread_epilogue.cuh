// What follows the sums of a matrix product: bias, activation, store.
#pragma once

#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/device/thread_math.cuh"
#include "backends/cuda/gemm.h"

namespace silverlode::cuda {

// sum + bias[column]; T is the type of the operands.
template <class T>
__device__ __forceinline__ float add_bias(const GemmTask& task, int64_t matrix, int64_t column, float sum) {
  if (task.bias == nullptr) return sum;
  const int64_t at = matrix * task.bias_stride + column;
  if (task.bias_dtype == DType::kF32) return sum + static_cast<const float*>(task.bias)[at];
  return sum + to_float(static_cast<const T*>(task.bias)[at]);
}

template <class T>
__device__ __forceinline__ void store_result(const GemmTask& task, int64_t matrix, int64_t row, int64_t column,
                                             float value) {
  const int64_t at = matrix * task.y_stride + row * task.ldy + column;
  if (task.y_dtype == DType::kF32) {
    static_cast<float*>(task.y)[at] = value;
  } else {
    static_cast<T*>(task.y)[at] = from_float<T>(value);
  }
}

// Applies the activation to values in registers: one choice for all of them.
template <int kRows, int kColumns>
__device__ __forceinline__ void activate_all(Activation activation, float (&values)[kRows][kColumns]) {
  if (activation == Activation::kNone) return;
  activation_function<ThreadFloat>(activation, [&](auto f) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) values[i][j] = f(ThreadFloat(values[i][j])).v;
    }
  });
}

}  // namespace silverlode::cuda
