// Counts of many ranges of mask words, most of them a few words long.
#pragma once

#include <cstdint>

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

}  // namespace silverlode::cpu
