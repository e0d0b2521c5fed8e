// Int8 kernels for AVX2. Bytes are widened to 16 bits and multiplied with madd, which cannot saturate for any int8 value.
#include <immintrin.h>

#include <type_traits>

#include "backends/cpu/simd/int8_kernels.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kLanes = 8;

__m256i load_wide(const int8_t* bytes) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}

__m256i multiply_add(__m256i sum, __m256i a, __m256i b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }

// Four accumulators to half sums: lanes r and r + 4 of the result add up to the sum of accumulator r.
__m256i reduce4(__m256i sum0, __m256i sum1, __m256i sum2, __m256i sum3) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(sum0, sum1), _mm256_hadd_epi32(sum2, sum3));
}
__m256i join_halves(__m256i low, __m256i high) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}

template <class Dim>
[[gnu::always_inline]] inline __m256i dot4(const int8_t* query, const int8_t* row0, const int8_t* row1,
                                           const int8_t* row2, const int8_t* row3, Dim dim) {
  __m256i sum0 = _mm256_setzero_si256();
  __m256i sum1 = sum0;
  __m256i sum2 = sum0;
  __m256i sum3 = sum0;
  for (int64_t d = 0; d < dim; d += 16) {
    const __m256i q = load_wide(query + d);
    sum0 = multiply_add(sum0, q, load_wide(row0 + d));
    sum1 = multiply_add(sum1, q, load_wide(row1 + d));
    sum2 = multiply_add(sum2, q, load_wide(row2 + d));
    sum3 = multiply_add(sum3, q, load_wide(row3 + d));
  }
  return reduce4(sum0, sum1, sum2, sum3);
}

template <class RowAt, class Dim>
[[gnu::always_inline]] inline __m256i dot8(const int8_t* query, const RowAt& row_at, Dim dim) {
  return join_halves(dot4(query, row_at(0), row_at(1), row_at(2), row_at(3), dim),
                     dot4(query, row_at(4), row_at(5), row_at(6), row_at(7), dim));
}

__m256i lane_mask(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Calls kernel(dim) with the usual dims as constants: loops unroll, so that more rows are in flight while memory answers.
template <class Kernel>
void with_dim(int64_t dim, const Kernel& kernel) {
  switch (dim) {
    case 64: return kernel(std::integral_constant<int64_t, 64>());
    case 96: return kernel(std::integral_constant<int64_t, 96>());
    case 128: return kernel(std::integral_constant<int64_t, 128>());
    case 256: return kernel(std::integral_constant<int64_t, 256>());
    default: return kernel(dim);
  }
}

// Blocks of eight rows; the last block repeats its last row and stores only what exists.
template <class RowAt, class Dim>
void dot_all(const int8_t* query, const RowAt& row_at, int64_t n, Dim dim, int32_t* dots) {
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

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t r) { return rows + r * d; }, n, d, dots); });
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t i) { return rows + index[i] * d; }, n, d, dots); });
}

// Four queries by two rows: eight sums, two rows and a query in registers. out[q] and out[q + 4]: query q by either row.
void dot_4x2(const int8_t* queries, const int8_t* row0, const int8_t* row1, int64_t dim, int32_t* out) {
  __m256i a0 = _mm256_setzero_si256();
  __m256i a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (int64_t d = 0; d < dim; d += 16) {
    const __m256i a = load_wide(row0 + d);
    const __m256i b = load_wide(row1 + d);
    const auto step = [&](int64_t q, __m256i& sum_a, __m256i& sum_b) {
      const __m256i query = load_wide(queries + q * dim + d);
      sum_a = multiply_add(sum_a, query, a);
      sum_b = multiply_add(sum_b, query, b);
    };
    step(0, a0, b0);
    step(1, a1, b1);
    step(2, a2, b2);
    step(3, a3, b3);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), join_halves(reduce4(a0, a1, a2, a3), reduce4(b0, b1, b2, b3)));
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
          to[second] = out[i + 4];
          to[r] = out[i];
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
