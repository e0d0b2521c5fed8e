// Elements of a row that are stored as sums of two of its dtype, so that products of halves read more digits than a half has.
#pragma once

#include "backends/cuda/device/thread_load.cuh"

namespace silverlode::cuda {

// Four elements that are read or written at once.
template <class T>
struct alignas(4 * sizeof(T)) Four {
  T values[4];
};

// If kSplit, `width` elements behind the rounded value of an element there is what was rounded off.
template <class T, bool kSplit>
struct SplitRow {
  T* data;
  int64_t width;

  __device__ __forceinline__ float get(int64_t d) const {
    if constexpr (kSplit) return to_float(data[d]) + to_float(data[width + d]);
    return to_float(data[d]);
  }
  __device__ __forceinline__ void put(int64_t d, float value) const {
    const T high = from_float<T>(value);
    data[d] = high;
    if constexpr (kSplit) data[width + d] = from_float<T>(value - to_float(high));
  }
  // Elements d to d + 3, where these and `width` are aligned.
  __device__ __forceinline__ void put_four(int64_t d, const float (&values)[4]) const {
    Four<T> high, low;
    for (int i = 0; i < 4; ++i) {
      high.values[i] = from_float<T>(values[i]);
      if constexpr (kSplit) low.values[i] = from_float<T>(values[i] - to_float(high.values[i]));
    }
    *reinterpret_cast<Four<T>*>(data + d) = high;
    if constexpr (kSplit) *reinterpret_cast<Four<T>*>(data + width + d) = low;
  }
};

}  // namespace silverlode::cuda
