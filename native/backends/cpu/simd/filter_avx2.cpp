#include <immintrin.h>

#include "backends/cpu/simd/filter_counts.h"
#include "backends/cpu/simd/filter_kernels.h"

namespace silverlode::cpu {

namespace {

// Signed comparison exists only as "greater", so the mask collects what lies outside.
void range32(const int32_t* values, int64_t words, int32_t lo, int32_t hi, uint64_t* mask) {
  const __m256i low = _mm256_set1_epi32(lo);
  const __m256i high = _mm256_set1_epi32(hi);
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t outside = 0;
    for (int32_t i = 0; i < 64; i += 8) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
      const __m256i out = _mm256_or_si256(_mm256_cmpgt_epi32(low, x), _mm256_cmpgt_epi32(x, high));
      outside |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(out)))) << i;
    }
    mask[w] = ~outside;
  }
}

void range64(const int64_t* values, int64_t words, int64_t lo, int64_t hi, uint64_t* mask) {
  const __m256i low = _mm256_set1_epi64x(lo);
  const __m256i high = _mm256_set1_epi64x(hi);
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t outside = 0;
    for (int32_t i = 0; i < 64; i += 4) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
      const __m256i out = _mm256_or_si256(_mm256_cmpgt_epi64(low, x), _mm256_cmpgt_epi64(x, high));
      outside |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(out)))) << i;
    }
    mask[w] = ~outside;
  }
}

int64_t popcount(const uint64_t* words, int64_t n) {
  int64_t count = 0;
  for (int64_t w = 0; w < n; ++w) count += _mm_popcnt_u64(words[w]);
  return count;
}

void count_ranges(const uint64_t* words, const int32_t* bounds, int64_t n, int32_t* counts) {
  count_ranges_with([](uint64_t word) { return _mm_popcnt_u64(word); }, popcount, words, bounds, n, counts);
}

int64_t list_rows(const uint64_t* words, int64_t n, int32_t first, int32_t* rows) {
  return list_rows_with([](uint64_t word) { return _mm_popcnt_u64(word); }, words, n, first, rows);
}

}  // namespace

const FilterKernels& filter_kernels_avx2() {
  static const FilterKernels kernels = {range32, range64, popcount, count_ranges, list_rows};
  return kernels;
}

}  // namespace silverlode::cpu
