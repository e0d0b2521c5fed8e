// Sums over the 32 lanes of a warp in one fixed order, so that they repeat bit for bit.
#pragma once

#include <cuda_runtime.h>

namespace silverlode::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;

// All lanes get the sum.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}

}  // namespace silverlode::cuda
