#include <bit>

#include "backends/cpu/simd/filter_counts.h"
#include "backends/cpu/simd/filter_kernels.h"

namespace silverlode::cpu {

namespace {

template <class T>
void range(const T* values, int64_t words, T lo, T hi, uint64_t* mask) {
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t bits = 0;
    for (int32_t i = 0; i < 64; ++i) bits |= static_cast<uint64_t>((values[i] >= lo) & (values[i] <= hi)) << i;
    mask[w] = bits;
  }
}

int64_t popcount(const uint64_t* words, int64_t n) {
  int64_t count = 0;
  for (int64_t w = 0; w < n; ++w) count += std::popcount(words[w]);
  return count;
}

void count_ranges(const uint64_t* words, const int32_t* bounds, int64_t n, int32_t* counts) {
  count_ranges_with([](uint64_t word) { return static_cast<int64_t>(std::popcount(word)); }, popcount, words, bounds, n,
                    counts);
}

int64_t list_rows(const uint64_t* words, int64_t n, int32_t first, int32_t* rows) {
  return list_rows_with([](uint64_t word) { return static_cast<int64_t>(std::popcount(word)); }, words, n, first, rows);
}

}  // namespace

const FilterKernels& filter_kernels_serial() {
  static const FilterKernels kernels = {range<int32_t>, range<int64_t>, popcount, count_ranges, list_rows};
  return kernels;
}

}  // namespace silverlode::cpu
