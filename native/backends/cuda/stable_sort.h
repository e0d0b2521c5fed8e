// Row numbers in the order of small integer keys, rows with equal keys in ascending order: radix sort, 8 bits at a time.
// The result depends on the keys alone.
#pragma once

#include "backends/carve.h"
#include "backends/cuda/runtime.h"

namespace silverlode::cuda {

// Scratch memory of a sort of n keys below `key_limit`.
struct SortScratch {
  uint32_t* counts;   // [256, blocks] of a pass, then where each begins
  int32_t* order[2];  // [n]; passes read one and write the other

  SortScratch(Carve& carve, int64_t n);
};

// `order` points to the sorted row numbers, in the scratch memory. keys: device memory [n], each in [0, key_limit).
Status stable_sort(const Runtime& device, const int32_t* keys, int64_t n, int64_t key_limit, const SortScratch& scratch,
                   const int32_t** order);

}  // namespace silverlode::cuda
