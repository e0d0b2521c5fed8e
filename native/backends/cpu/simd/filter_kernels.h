// Word-wise filter kernels: one call handles a run of mask words.
#pragma once

#include <cstdint>

namespace silverlode::cpu {

constexpr int64_t kListSlack = 16;

struct FilterKernels {
  // Bits of rows [0, 64 * words) whose value lies in [lo, hi].
  void (*range32)(const int32_t* values, int64_t words, int32_t lo, int32_t hi, uint64_t* mask);
  void (*range64)(const int64_t* values, int64_t words, int64_t lo, int64_t hi, uint64_t* mask);
  // Set bits in n words.
  int64_t (*popcount)(const uint64_t* words, int64_t n);
  // counts[i] = set bits of rows [bounds[i], bounds[i + 1]), which are multiples of 64, for n ranges.
  void (*count_ranges)(const uint64_t* words, const int32_t* bounds, int64_t n, int32_t* counts);
  // Rows of the set bits in n words, the first of which holds rows [first, first + 64), ascending; returns their number.
  // Writes up to kListSlack entries more in vain.
  int64_t (*list_rows)(const uint64_t* words, int64_t n, int32_t first, int32_t* rows);
};

const FilterKernels& filter_kernels_serial();
const FilterKernels& filter_kernels_avx2();
const FilterKernels& filter_kernels_avx512vnni();
const FilterKernels& filter_kernels_neon();

}  // namespace silverlode::cpu
