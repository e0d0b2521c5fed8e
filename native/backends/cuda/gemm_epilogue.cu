// What a product still lacks where the library that computed it cannot fuse it.
#include "backends/cuda/device/thread_epilogue.cuh"
#include "backends/cuda/gemm_kernels.h"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

// y = activation(y + bias) in place.
template <class T>
__global__ void sl_linear_epilogue(const RunError* error, GemmTask task) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t n = task.batch * task.m * task.n;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const int64_t row = i / task.n, column = i % task.n;
    const int64_t matrix = row / task.m, at = matrix * task.y_stride + row % task.m * task.ldy + column;
    const float sum =
        task.y_dtype == DType::kF32 ? static_cast<float*>(task.y)[at] : to_float(static_cast<T*>(task.y)[at]);
    const float value = activate(add_bias<T>(task, matrix, column, sum), task.activation);
    store_result<T>(task, matrix, row % task.m, column, value);
  }
}

}  // namespace

Status run_epilogue(const Runtime& device, const GemmTask& task) {
  const unsigned grid = grid_for(device, task.batch * task.m * task.n, kThreads * kPerThread);
  return with_float_type(task.dtype, [&](auto type) {
    return launch(device, sl_linear_epilogue<decltype(type)>, grid, kThreads, 0, device.error, task);
  });
}

}  // namespace silverlode::cuda
