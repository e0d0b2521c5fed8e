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

// The first n of eight values, n at least 1. Whole vectors go without a mask, which is slow to store on AMD before Zen 5.
__m256i load_lanes(const int32_t* from, int64_t n) {
  return n >= kLanes ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))
                     : _mm256_maskload_epi32(from, lane_mask(n));
}
__m256 load_lanes(const float* from, int64_t n) {
  return n >= kLanes ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lane_mask(n));
}
void store_lanes(int32_t* to, int64_t n, __m256i values) {
  if (n >= kLanes) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), values);
  _mm256_maskstore_epi32(to, lane_mask(n), values);
}
void store_lanes(float* to, int64_t n, __m256 values) {
  if (n >= kLanes) return _mm256_storeu_ps(to, values);
  _mm256_maskstore_ps(to, lane_mask(n), values);
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
    store_lanes(dots + i, n - i, sums);
  }
}

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t r) { return rows + r * d; }, n, d, dots); });
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t i) { return rows + index[i] * d; }, n, d, dots); });
}

// Blocks of sixteen rows, transposed once and then multiplied with every query without any sum across lanes. Long rows are
// done in pieces so that a panel stays in the first-level cache.
constexpr int64_t kPanelDims = 256;
constexpr int64_t kPanelRows = 2 * kLanes;

// Pairs of bytes: rows 0 to 7 of pair j in the first half of pairs[j], rows 8 to 15 in the second.
struct alignas(32) Panel {
  __m128i pairs[kPanelDims / 2][2];
};

__m128i load16(const int8_t* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); }

// Rows r and r + 8 fill the halves of a vector, so only pairs within a half are left to transpose. Past its end `rows`
// repeats its last row.
void fill_panel(const int8_t* rows, int64_t n, int64_t dim, int64_t dims, Panel& panel) {
  const int8_t* row_at[kPanelRows];
  for (int64_t r = 0; r < kPanelRows; ++r) row_at[r] = rows + (r < n ? r : n - 1) * dim;
  for (int64_t d = 0; d < dims; d += 16) {
    __m256i x[kLanes], y[kLanes];
    for (int64_t r = 0; r < kLanes; ++r)
      x[r] = _mm256_setr_m128i(load16(row_at[r] + d), load16(row_at[r + kLanes] + d));
    for (int64_t r = 0; r < kLanes; r += 2) {
      y[r] = _mm256_unpacklo_epi16(x[r], x[r + 1]);
      y[r + 1] = _mm256_unpackhi_epi16(x[r], x[r + 1]);
    }
    for (int64_t r = 0; r < kLanes; r += 4) {
      x[r] = _mm256_unpacklo_epi32(y[r], y[r + 2]);
      x[r + 1] = _mm256_unpackhi_epi32(y[r], y[r + 2]);
      x[r + 2] = _mm256_unpacklo_epi32(y[r + 1], y[r + 3]);
      x[r + 3] = _mm256_unpackhi_epi32(y[r + 1], y[r + 3]);
    }
    for (int64_t j = 0; j < 4; ++j) {
      __m256i* to = reinterpret_cast<__m256i*>(panel.pairs[d / 2 + 2 * j]);
      _mm256_store_si256(to, _mm256_unpacklo_epi64(x[j], x[j + 4]));
      _mm256_store_si256(to + 1, _mm256_unpackhi_epi64(x[j], x[j + 4]));
    }
  }
}

// The type of sums: those of type __m256i are copied to and fro in every step (GCC 12).
using Lanes32 [[gnu::vector_size(32)]] = int32_t;

// Where sums go: those of query q at dots[q * stride]. `count` of the sixteen rows exist.
struct Sums {
  int32_t* dots;
  int64_t stride;
  int64_t count;
  bool start;  // from 0 instead of what is there
};

// Adds the products of the first kBlocks * 8 rows of a panel with kQueries queries, which are widened and kPanelDims apart.
template <int kQueries, int kBlocks>
void multiply_panel(const Panel& panel, const int16_t* queries, int64_t dims, const Sums& to) {
  Lanes32 sums[kQueries][kBlocks];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) {
      const int32_t* from = to.dots + q * to.stride + b * kLanes;
      sums[q][b] = to.start ? Lanes32{} : reinterpret_cast<Lanes32>(load_lanes(from, to.count - b * kLanes));
    }
  }
  int64_t d = 0;
  do {
    __m256i rows[kBlocks];
    for (int b = 0; b < kBlocks; ++b) rows[b] = _mm256_cvtepi8_epi16(panel.pairs[d / 2][b]);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      int32_t pair;
      __builtin_memcpy(&pair, queries + q * kPanelDims + d, 4);
      const __m256i query = _mm256_set1_epi32(pair);
#pragma GCC unroll 2
      for (int b = 0; b < kBlocks; ++b) sums[q][b] += reinterpret_cast<Lanes32>(_mm256_madd_epi16(query, rows[b]));
    }
    d += 2;
  } while (d < dims);
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) {
      int32_t* at = to.dots + q * to.stride + b * kLanes;
      store_lanes(at, to.count - b * kLanes, reinterpret_cast<__m256i>(sums[q][b]));
    }
  }
}

using MultiplyPanel = void (*)(const Panel&, const int16_t*, int64_t, const Sums&);
constexpr int64_t kGroup = 6;
constexpr MultiplyPanel kMultiplyPanel[2][kGroup] = {
    {multiply_panel<1, 1>, multiply_panel<2, 1>, multiply_panel<3, 1>, multiply_panel<4, 1>, multiply_panel<5, 1>,
     multiply_panel<6, 1>},
    {multiply_panel<1, 2>, multiply_panel<2, 2>, multiply_panel<3, 2>, multiply_panel<4, 2>, multiply_panel<5, 2>,
     multiply_panel<6, 2>}};

// Below this many queries a transpose costs more than the sums across lanes that it saves.
constexpr int64_t kTransposeFrom = 3;
constexpr int64_t kTransposeQueries = 32;

void widen(const int8_t* queries, int64_t n, int64_t dim, int64_t dims, int16_t* wide) {
  for (int64_t q = 0; q < n; ++q) {
    for (int64_t d = 0; d < dims; d += 16) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(wide + q * kPanelDims + d), load_wide(queries + q * dim + d));
    }
  }
}

void multiply_rows(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim,
                   int32_t* dots) {
  const int64_t passes = (n_queries + kGroup - 1) / kGroup;
  const int64_t even = (n_queries + passes - 1) / passes;
  alignas(32) int16_t wide[kTransposeQueries * kPanelDims];
  Panel panel;
  for (int64_t from = 0; from < dim; from += kPanelDims) {
    const int64_t dims = dim - from < kPanelDims ? dim - from : kPanelDims;
    widen(queries + from, n_queries, dim, dims, wide);
    for (int64_t first = 0; first < n; first += kPanelRows) {
      const int64_t count = n - first < kPanelRows ? n - first : kPanelRows;
      fill_panel(rows + first * dim + from, count, dim, dims, panel);
      for (int64_t q = 0; q < n_queries; q += even) {
        const int64_t group = n_queries - q < even ? n_queries - q : even;
        const Sums sums = {dots + q * n + first, n, count, from == 0};
        kMultiplyPanel[count > kLanes ? 1 : 0][group - 1](panel, wide + q * kPanelDims, dims, sums);
      }
    }
  }
}

void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  if (n_queries < kTransposeFrom) {
    for (int64_t q = 0; q < n_queries; ++q) dot_rows(queries + q * dim, rows, n, dim, dots + q * n);
    return;
  }
  for (int64_t q = 0; q < n_queries; q += kTransposeQueries) {
    const int64_t group = n_queries - q < kTransposeQueries ? n_queries - q : kTransposeQueries;
    multiply_rows(queries + q * dim, group, rows, n, dim, dots + q * n);
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
    const __m256 s = score8(load_lanes(dots + i, n - i), load_lanes(scales + i, n - i),
                            biased ? load_lanes(bias + i, n - i) : _mm256_setzero_ps(), biased, scoring);
    store_lanes(scores + i, n - i, s);
    bits |= bits_not_below(s, limit) << i;
  }
  return n < kScoreRows ? bits & ((uint64_t{1} << n) - 1) : bits;
}

uint64_t passing(const float* scores, int64_t n, float threshold) {
  const __m256 limit = _mm256_set1_ps(threshold);
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    bits |= bits_not_below(load_lanes(scores + i, n - i), limit) << i;
  }
  return n < kScoreRows ? bits & ((uint64_t{1} << n) - 1) : bits;
}

}  // namespace

const Int8Kernels& int8_kernels_avx2() {
  static constexpr Int8Kernels kernels = {dot_rows, dot_listed, dot_tile, score, passing};
  return kernels;
}

}  // namespace silverlode::cpu
