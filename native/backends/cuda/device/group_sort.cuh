// Bitonic sort of items in shared memory by a warp or a block (Batcher 1968), best rank first.
#pragma once

#include "backends/cuda/device/rank_item.cuh"

namespace silverlode::cuda {

// How the threads of a group see each other's writes.
struct WarpGroup {
  static constexpr int kThreads = 32;
  static __device__ int rank() { return static_cast<int>(threadIdx.x % 32); }
  static __device__ void sync() { __syncwarp(); }
};

template <int kBlockThreads>
struct BlockGroup {
  static constexpr int kThreads = kBlockThreads;
  static __device__ int rank() { return static_cast<int>(threadIdx.x); }
  static __device__ void sync() { __syncthreads(); }
};

// n is a power of two. The items must have been written by the group, and are synchronised before and after.
template <class Group, class Item>
__device__ void group_sort(Item* items, int n) {
  Group::sync();
  for (int size = 2; size <= n; size *= 2) {
    for (int stride = size / 2; stride > 0; stride /= 2) {
      for (int i = Group::rank(); i < n / 2; i += Group::kThreads) {
        const int low = 2 * i - (i & (stride - 1));
        const int high = low + stride;
        const Item a = items[low];
        const Item b = items[high];
        const bool descending = (low & size) == 0;
        if (descending ? ranks_before(b, a) : ranks_before(a, b)) {
          items[low] = b;
          items[high] = a;
        }
      }
      Group::sync();
    }
  }
}

}  // namespace silverlode::cuda
