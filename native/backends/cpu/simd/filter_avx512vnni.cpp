#include <immintrin.h>

#include "backends/cpu/simd/filter_counts.h"
#include "backends/cpu/simd/filter_kernels.h"

namespace silverlode::cpu {

namespace {

void range32(const int32_t* values, int64_t words, int32_t lo, int32_t hi, uint64_t* mask) {
  const __m512i low = _mm512_set1_epi32(lo);
  const __m512i high = _mm512_set1_epi32(hi);
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t bits = 0;
    for (int32_t i = 0; i < 64; i += 16) {
      const __m512i x = _mm512_loadu_si512(values + i);
      const __mmask16 above = _mm512_cmple_epi32_mask(low, x);
      bits |= static_cast<uint64_t>(_mm512_mask_cmple_epi32_mask(above, x, high)) << i;
    }
    mask[w] = bits;
  }
}

void range64(const int64_t* values, int64_t words, int64_t lo, int64_t hi, uint64_t* mask) {
  const __m512i low = _mm512_set1_epi64(lo);
  const __m512i high = _mm512_set1_epi64(hi);
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t bits = 0;
    for (int32_t i = 0; i < 64; i += 8) {
      const __m512i x = _mm512_loadu_si512(values + i);
      const __mmask8 above = _mm512_cmple_epi64_mask(low, x);
      bits |= static_cast<uint64_t>(_mm512_mask_cmple_epi64_mask(above, x, high)) << i;
    }
    mask[w] = bits;
  }
}

int64_t popcount(const uint64_t* words, int64_t n) {
  __m512i sum = _mm512_setzero_si512();
  int64_t w = 0;
  for (; w + 8 <= n; w += 8) sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_loadu_si512(words + w)));
  const __mmask8 rest = static_cast<__mmask8>((1u << (n - w)) - 1u);
  sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_maskz_loadu_epi64(rest, words + w)));
  alignas(64) int64_t lanes[8];
  _mm512_store_si512(lanes, sum);
  int64_t count = 0;
  for (int64_t lane : lanes) count += lane;
  return count;
}

void count_ranges(const uint64_t* words, const int32_t* bounds, int64_t n, int32_t* counts) {
  count_ranges_with([](uint64_t word) { return _mm_popcnt_u64(word); }, popcount, words, bounds, n, counts);
}

}  // namespace

const FilterKernels& filter_kernels_avx512vnni() {
  static const FilterKernels kernels = {range32, range64, popcount, count_ranges};
  return kernels;
}

}  // namespace silverlode::cpu
