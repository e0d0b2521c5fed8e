#include "backends/cuda/convert.h"

#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

template <class From, class To>
__global__ void sl_convert(const RunError* error, const From* from, To* to, int64_t n) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    to[i] = from_float<To>(to_float(from[i]));
  }
}

}  // namespace

Status convert(const Runtime& device, const void* from, DType from_dtype, void* to, DType to_dtype, int64_t n) {
  return with_float_type(from_dtype, [&](auto from_type) {
    return with_float_type(to_dtype, [&](auto to_type) {
      using From = decltype(from_type);
      using To = decltype(to_type);
      return launch(device, sl_convert<From, To>, grid_for(device, n, kThreads * kPerThread), kThreads, 0, device.error,
                    static_cast<const From*>(from), static_cast<To*>(to), n);
    });
  });
}

}  // namespace silverlode::cuda
