// Int8 kernels for AVX2. Bytes are widened to 16 bits and multiplied with madd, which cannot saturate for any int8 value.
#include <immintrin.h>

#include "backends/cpu/simd/int8_kernels.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kLanes = 8;
constexpr int64_t kPrefetchBytes = 2048;

__m256i load_wide(const int8_t* bytes) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}

__m256i multiply_add(__m256i sum, __m256i a, __m256i b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }

// The sums of eight accumulators as one vector.
__m256i reduce8(const __m256i* sums) {
  const __m256i s01 = _mm256_hadd_epi32(sums[0], sums[1]);
  const __m256i s23 = _mm256_hadd_epi32(sums[2], sums[3]);
  const __m256i s45 = _mm256_hadd_epi32(sums[4], sums[5]);
  const __m256i s67 = _mm256_hadd_epi32(sums[6], sums[7]);
  const __m256i s0123 = _mm256_hadd_epi32(s01, s23);  // each 128-bit half holds four partial sums
  const __m256i s4567 = _mm256_hadd_epi32(s45, s67);
  return _mm256_add_epi32(_mm256_permute2x128_si256(s0123, s4567, 0x20), _mm256_permute2x128_si256(s0123, s4567, 0x31));
}

template <class RowAt>
__m256i dot8(const int8_t* query, const RowAt& row_at, int64_t dim) {
  __m256i sums[kLanes];
  const int8_t* rows[kLanes];
  for (int64_t r = 0; r < kLanes; ++r) {
    sums[r] = _mm256_setzero_si256();
    rows[r] = row_at(r);
  }
  for (int64_t d = 0; d < dim; d += 16) {
    const __m256i q = load_wide(query + d);
    for (int64_t r = 0; r < kLanes; ++r) sums[r] = multiply_add(sums[r], q, load_wide(rows[r] + d));
  }
  return reduce8(sums);
}

__m256i lane_mask(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Blocks of eight rows; the last block repeats its last row and stores only what exists.
template <class RowAt>
void dot_all(const int8_t* query, const RowAt& row_at, int64_t n, int64_t dim, int32_t* dots) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const __m256i sums = dot8(query, [&](int64_t r) { return row_at(i + r); }, dim);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dots + i), sums);
  }
  if (i < n) {
    const __m256i sums = dot8(query, [&](int64_t r) { return row_at(i + r < n ? i + r : n - 1); }, dim);
    _mm256_maskstore_epi32(dots + i, lane_mask(n - i), sums);
  }
}

void prefetch(const int8_t* from, int64_t bytes) {
  for (int64_t b = 0; b < bytes; b += 64) _mm_prefetch(reinterpret_cast<const char*>(from + b), _MM_HINT_T0);
}

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  const auto row_at = [=](int64_t r) {
    if (dim <= kPrefetchBytes) prefetch(rows + r * dim + kPrefetchBytes, dim);
    return rows + r * dim;
  };
  dot_all(query, row_at, n, dim, dots);
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  const auto row_at = [=](int64_t i) {
    if (i + kLanes < n) prefetch(rows + index[i + kLanes] * dim, dim < kPrefetchBytes ? dim : kPrefetchBytes);
    return rows + index[i] * dim;
  };
  dot_all(query, row_at, n, dim, dots);
}

// Four queries by two rows keep eight sums, two rows and a query in registers.
void dot_4x2(const int8_t* queries, const int8_t* row0, const int8_t* row1, int64_t dim, int32_t* out) {
  __m256i sums[kLanes];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t d = 0; d < dim; d += 16) {
    const __m256i a = load_wide(row0 + d);
    const __m256i b = load_wide(row1 + d);
    for (int64_t q = 0; q < 4; ++q) {
      const __m256i query = load_wide(queries + q * dim + d);
      sums[2 * q] = multiply_add(sums[2 * q], query, a);
      sums[2 * q + 1] = multiply_add(sums[2 * q + 1], query, b);
    }
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), reduce8(sums));
}

void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  const int64_t grouped = n_queries & ~int64_t{3};
  for (int64_t first = 0; first < n; first += kLanes) {
    const int64_t count = n - first < kLanes ? n - first : kLanes;
    const int8_t* block = rows + first * dim;
    for (int64_t q = 0; q < grouped; q += 4) {
      for (int64_t r = 0; r < count; r += 2) {
        const int64_t second = r + 1 < count ? r + 1 : r;
        int32_t out[kLanes];
        dot_4x2(queries + q * dim, block + r * dim, block + second * dim, dim, out);
        for (int64_t i = 0; i < 4; ++i) {
          int32_t* to = dots + (q + i) * n + first;
          to[r] = out[2 * i];
          to[second] = out[2 * i + (second - r)];
        }
      }
    }
    for (int64_t q = grouped; q < n_queries; ++q) {
      dot_rows(queries + q * dim, block, count, dim, dots + q * n + first);
    }
  }
}

uint64_t bits_not_below(__m256 scores, __m256 threshold) {
  return static_cast<uint64_t>(_mm256_movemask_ps(_mm256_cmp_ps(scores, threshold, _CMP_NLT_UQ)));
}

__m256 score8(__m256i dots, __m256 scales, __m256 bias, bool biased, const Scoring& scoring) {
  __m256 s = _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(dots), scales), _mm256_set1_ps(scoring.query_scale));
  if (biased) s = _mm256_add_ps(s, bias);
  if (scoring.l2) {
    s = _mm256_sub_ps(_mm256_mul_ps(_mm256_set1_ps(2.0f), s), _mm256_set1_ps(scoring.query_norm));
    s = _mm256_min_ps(_mm256_setzero_ps(), s);  // 0 < s ? 0 : s, so NaN stays
  }
  return s;
}

uint64_t score(const int32_t* dots, const float* scales, const float* bias, int64_t n, const Scoring& scoring,
               float threshold, float* scores) {
  const __m256 limit = _mm256_set1_ps(threshold);
  const bool biased = bias != nullptr;
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const __m256i lanes = lane_mask(n - i);
    const __m256 s = score8(_mm256_maskload_epi32(dots + i, lanes), _mm256_maskload_ps(scales + i, lanes),
                            biased ? _mm256_maskload_ps(bias + i, lanes) : _mm256_setzero_ps(), biased, scoring);
    _mm256_maskstore_ps(scores + i, lanes, s);
    bits |= bits_not_below(s, limit) << i;
  }
  return n < kScoreRows ? bits & ((uint64_t{1} << n) - 1) : bits;
}

uint64_t passing(const float* scores, int64_t n, float threshold) {
  const __m256 limit = _mm256_set1_ps(threshold);
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    bits |= bits_not_below(_mm256_maskload_ps(scores + i, lane_mask(n - i)), limit) << i;
  }
  return n < kScoreRows ? bits & ((uint64_t{1} << n) - 1) : bits;
}

}  // namespace

const Int8Kernels& int8_kernels_avx2() {
  static constexpr Int8Kernels kernels = {dot_rows, dot_listed, dot_tile, score, passing};
  return kernels;
}

}  // namespace silverlode::cpu
