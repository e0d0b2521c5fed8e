// Sums over the threads of a block.
#pragma once

#include "backends/cuda/launch.h"

namespace silverlode::cuda {

template <class T>
__device__ inline T warp_inclusive_sum(T value) {
  const unsigned lane = threadIdx.x % 32;
  for (unsigned step = 1; step < 32; step *= 2) {
    const T before = __shfl_up_sync(0xffffffffu, value, step);
    if (lane >= step) value += before;
  }
  return value;
}

template <class T>
__device__ inline T warp_sum(T value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

template <class T>
struct ScanResult {
  T before;  // sum over the threads with a lower index
  T total;
};

// Every thread of the block calls it; it begins and ends with a barrier.
template <int kThreads, class T>
__device__ ScanResult<T> block_scan(T value) {
  constexpr int kWarps = kThreads / 32;
  static_assert(kWarps <= 32);
  struct Sums;
  auto& sums = shared<T[kWarps], Sums>();
  const T inclusive = warp_inclusive_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 31) sums[threadIdx.x / 32] = inclusive;
  __syncthreads();
  T before = inclusive - value;
  T total = 0;
  for (int warp = 0; warp < kWarps; ++warp) {
    if (warp < static_cast<int>(threadIdx.x / 32)) before += sums[warp];
    total += sums[warp];
  }
  __syncthreads();
  return {before, total};
}

}  // namespace silverlode::cuda
