// What the levels share: counts of many ranges of mask words, most of them a few words long, and lists of set bits.
#pragma once

#include <bit>
#include <cstdint>

#include "backends/cpu/simd/filter_kernels.h"

namespace silverlode::cpu {

// FilterKernels::count_ranges from a level's counts of one word and of many.
template <class CountWord, class CountWords>
inline void count_ranges_with(CountWord count_word, CountWords count_words, const uint64_t* words,
                              const int32_t* bounds, int64_t n, int32_t* counts) {
  constexpr int64_t kManyWords = 16;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = bounds[i] / 64;
    const int64_t end = bounds[i + 1] / 64;
    int64_t count = 0;
    if (end - begin >= kManyWords) {
      count = count_words(words + begin, end - begin);
    } else {
      for (int64_t w = begin; w < end; ++w) count += count_word(words[w]);
    }
    counts[i] = static_cast<int32_t>(count);
  }
}

// FilterKernels::list_rows. How many bits a word has is hard to predict, so that writing some rows in vain is cheaper than a
// branch for each.
template <class CountWord>
inline int64_t list_rows_with(CountWord count_word, const uint64_t* words, int64_t n, int32_t first, int32_t* rows) {
  constexpr int64_t kAtOnce = 8;
  static_assert(kAtOnce <= kListSlack);
  int64_t listed = 0;
  for (int64_t w = 0; w < n; ++w) {
    uint64_t bits = words[w];
    const auto base = static_cast<int32_t>(first + w * 64);
    const int64_t count = count_word(bits);
    for (int64_t i = 0; i < count; i += kAtOnce) {
      for (int64_t j = 0; j < kAtOnce; ++j, bits &= bits - 1) {
        rows[listed + i + j] =
            base + std::countr_zero(bits | uint64_t{1} << 63);  // never of 0, which would need a branch
      }
    }
    listed += count;
  }
  return listed;
}

}  // namespace silverlode::cpu
