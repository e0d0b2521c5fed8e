#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

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

// The places of a word's bits as bytes, moved together, then widened sixteen at a time.
int64_t list_rows(const uint64_t* words, int64_t n, int32_t first, int32_t* rows) {
  alignas(64) int8_t all[64];
  for (int8_t i = 0; i < 64; ++i) all[i] = i;
  const __m512i places = _mm512_load_si512(all);
  int64_t listed = 0;
  for (int64_t w = 0; w < n; ++w) {
    const int64_t count = _mm_popcnt_u64(words[w]);
    const __m512i base = _mm512_set1_epi32(static_cast<int32_t>(first + w * 64));
    const __m512i own = _mm512_maskz_compress_epi8(words[w], places);
    const auto put = [&](int64_t at, __m128i bytes) {
      _mm512_storeu_si512(rows + listed + at, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(bytes)));
    };
    put(0, _mm512_castsi512_si128(own));
    if (count > 16) put(16, _mm512_extracti32x4_epi32(own, 1));
    if (count > 32) put(32, _mm512_extracti32x4_epi32(own, 2));
    if (count > 48) put(48, _mm512_extracti32x4_epi32(own, 3));
    listed += count;
  }
  return listed;
}

}  // namespace

const FilterKernels& filter_kernels_avx512vnni() {
  static const FilterKernels kernels = {range32, range64, popcount, count_ranges, list_rows};
  return kernels;
}

}  // namespace silverlode::cpu
