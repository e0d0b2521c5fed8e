#include "tests/filter_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

template <class T, class Kernel>
void check_range(Kernel kernel, Random& random, int64_t words) {
  constexpr T kLow = std::numeric_limits<T>::min();
  constexpr T kHigh = std::numeric_limits<T>::max();
  const T edges[] = {kLow, kLow + 1, -1, 0, 1, kHigh - 1, kHigh};
  std::vector<T> values(static_cast<size_t>(words * 64) + 1);
  for (T& value : values) value = chance(random, 0.3) ? edges[pick(random, 0, 6)] : static_cast<T>(pick(random, -9, 9));
  for (int repeat = 0; repeat < 30; ++repeat) {
    const T lo = chance(random, 0.4) ? edges[pick(random, 0, 6)] : static_cast<T>(pick(random, -9, 9));
    const T hi = chance(random, 0.4) ? edges[pick(random, 0, 6)] : static_cast<T>(pick(random, -9, 9));
    Guarded<uint64_t> mask(words);
    const T* unaligned = values.data() + 1;
    kernel(unaligned, words, lo, hi, mask.data());
    for (int64_t row = 0; row < words * 64; ++row) {
      ASSERT_EQ(bit(mask.data(), row), lo <= unaligned[row] && unaligned[row] <= hi) << lo << " " << hi;
    }
  }
}

TEST(FilterKernels, RangesAndCountsAgreeWithAScalarLoopOnEveryLevel) {
  for (const auto level : levels()) {
    const cpu::FilterKernels& kernels = cpu::simd_table(level).filter;
    SCOPED_TRACE(cpu::simd_table(level).name);
    Random random(7);
    for (int64_t words : {0, 1, 2, 3, 8, 9, 17}) {
      check_range<int32_t>(kernels.range32, random, words);
      check_range<int64_t>(kernels.range64, random, words);
      const auto bits = random_words(random, words + 1, 0.4);
      int64_t count = 0;
      for (int64_t row = 64; row < (words + 1) * 64; ++row) count += bit(bits.data(), row);
      EXPECT_EQ(kernels.popcount(bits.data() + 1, words), count);
    }
  }
}

TEST(FilterKernels, CountsOfRangesAgreeWithTheirBitsOnEveryLevel) {
  const std::vector<int32_t> bounds = {64, 64, 128, 320, 64 * 15, 64 * 32, 64 * 49, 64 * 50};
  Random random(11);
  const auto bits = random_words(random, 50, 0.4);
  for (const auto level : levels()) {
    SCOPED_TRACE(cpu::simd_table(level).name);
    const auto n = static_cast<int64_t>(bounds.size()) - 1;
    Guarded<int32_t> counts(n);
    cpu::simd_table(level).filter.count_ranges(bits.data(), bounds.data(), n, counts.data());
    for (int64_t i = 0; i < n; ++i) {
      int32_t count = 0;
      for (int64_t row = bounds[static_cast<size_t>(i)]; row < bounds[static_cast<size_t>(i) + 1]; ++row) {
        count += bit(bits.data(), row);
      }
      EXPECT_EQ(counts.data()[i], count) << i;
    }
  }
}

TEST(FilterKernels, ListsOfRowsAgreeWithTheirBitsOnEveryLevel) {
  constexpr int32_t kFirst = 640;
  for (const double share : {0.0, 0.02, 0.3, 0.7, 1.0}) {
    Random random(13);
    const auto bits = random_words(random, 21, share);
    std::vector<int32_t> expected;
    for (int32_t row = 0; row < 21 * 64; ++row) {
      if (bit(bits.data(), row)) expected.push_back(kFirst + row);
    }
    for (const auto level : levels()) {
      SCOPED_TRACE(cpu::simd_table(level).name);
      Guarded<int32_t> rows(static_cast<int64_t>(expected.size()) + cpu::kListSlack);
      const int64_t n = cpu::simd_table(level).filter.list_rows(bits.data(), 21, kFirst, rows.data());
      EXPECT_EQ(std::vector<int32_t>(rows.data(), rows.data() + n), expected);
    }
  }
}

}  // namespace
}  // namespace silverlode
