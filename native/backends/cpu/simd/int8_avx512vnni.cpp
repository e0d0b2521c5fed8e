// Int8 kernels for AVX-512 VNNI. dpbusd multiplies unsigned by signed bytes: flipping the top bit of a row byte adds 128,
// so dot = dpbusd(row ^ 0x80, query) - 128 * sum(query), and the correction belongs to the query alone.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <type_traits>

#include "backends/cpu/simd/int8_kernels.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kLanes = 16;

__mmask64 byte_mask(int64_t n) { return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }
__mmask16 lane_mask(int64_t n) { return n >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1u << n) - 1); }

__m512i load_signed(const int8_t* bytes, __mmask64 mask) { return _mm512_maskz_loadu_epi8(mask, bytes); }
__m512i load_biased(const int8_t* bytes, __mmask64 mask) {
  return _mm512_xor_si512(load_signed(bytes, mask), _mm512_set1_epi8(static_cast<char>(0x80)));
}

// 128 * sum(query) in every lane.
__m512i correction_of(const int8_t* query, int64_t dim) {
  const __m512i all_128 = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sums = _mm512_setzero_si512();
  for (int64_t d = 0; d < dim; d += 64) {
    sums = _mm512_dpbusd_epi32(sums, all_128, load_signed(query + d, byte_mask(dim - d)));
  }
  return _mm512_set1_epi32(_mm512_reduce_add_epi32(sums));
}

// One step of a pairwise sum tree: lanes of `a` and `b` added across and interleaved.
__m512i add_pairs32(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
__m512i add_pairs64(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}
__m512i add_quarters(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

// Quarter sums of four rows: lanes 4i + r of the result add up to the biased dot product of row r.
template <class Dim>
[[gnu::always_inline]] inline __m512i dot4(const int8_t* query, const int8_t* row0, const int8_t* row1,
                                           const int8_t* row2, const int8_t* row3, Dim dim) {
  __m512i sum0 = _mm512_setzero_si512();
  __m512i sum1 = sum0;
  __m512i sum2 = sum0;
  __m512i sum3 = sum0;
  const auto step = [&](int64_t d, __mmask64 mask) {
    const __m512i q = load_signed(query + d, mask);  // zero where rows do not exist
    sum0 = _mm512_dpbusd_epi32(sum0, load_biased(row0 + d, mask), q);
    sum1 = _mm512_dpbusd_epi32(sum1, load_biased(row1 + d, mask), q);
    sum2 = _mm512_dpbusd_epi32(sum2, load_biased(row2 + d, mask), q);
    sum3 = _mm512_dpbusd_epi32(sum3, load_biased(row3 + d, mask), q);
  };
  int64_t d = 0;
  for (; d + 64 <= dim; d += 64) step(d, ~__mmask64{0});
  if (d < dim) step(d, byte_mask(dim - d));
  return add_pairs64(add_pairs32(sum0, sum1), add_pairs32(sum2, sum3));
}

template <class RowAt, class Dim>
[[gnu::always_inline]] inline __m512i dot16(const int8_t* query, __m512i correction, const RowAt& row_at, Dim dim) {
  const auto four = [&](int64_t r) { return dot4(query, row_at(r), row_at(r + 1), row_at(r + 2), row_at(r + 3), dim); };
  const __m512i low = add_quarters(four(0), four(4));
  const __m512i high = add_quarters(four(8), four(12));
  return _mm512_sub_epi32(add_quarters(low, high), correction);
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

// Blocks of sixteen rows; the last block repeats its last row and stores only what exists.
template <class RowAt, class Dim>
void dot_all(const int8_t* query, const RowAt& row_at, int64_t n, Dim dim, int32_t* dots) {
  const __m512i correction = correction_of(query, dim);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    _mm512_storeu_si512(dots + i, dot16(query, correction, [&](int64_t r) { return row_at(i + r); }, dim));
  }
  if (i < n) {
    const auto clamped = [&](int64_t r) { return row_at(i + r < n ? i + r : n - 1); };
    _mm512_mask_storeu_epi32(dots + i, lane_mask(n - i), dot16(query, correction, clamped, dim));
  }
}

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t r) { return rows + r * d; }, n, d, dots); });
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) { dot_all(query, [=](int64_t i) { return rows + index[i] * d; }, n, d, dots); });
}

// Turns 16 rows of 16 dwords into 16 vectors, vector j holding dword j of every row.
void transpose16(__m512i* m) {
  __m512i t[kLanes];
  for (int64_t i = 0; i < kLanes; i += 2) {
    t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
  }
  for (int64_t i = 0; i < kLanes; i += 4) {
    m[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    m[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    m[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    m[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int64_t i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0xdd);
  }
  for (int64_t i = 0; i < 4; ++i) {
    m[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    m[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    m[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    m[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// A block of sixteen rows, transposed once and then multiplied with every query without any sum across lanes. Long rows
// are done in pieces so that a panel stays in the first-level cache.
constexpr int64_t kPanelDims = 512;

struct alignas(64) Panel {
  __m512i dwords[kPanelDims / 4];
};

void fill_panel(const int8_t* rows, int64_t n, int64_t dim, int64_t from, int64_t dims, Panel& panel) {
  for (int64_t d = 0; d < dims; d += 64) {
    const __mmask64 mask = byte_mask(dims - d);
    __m512i m[kLanes];
    for (int64_t r = 0; r < kLanes; ++r) {
      m[r] = load_biased(rows + (r < n ? r : n - 1) * dim + from + d, mask);
    }
    transpose16(m);
    for (int64_t j = 0; j < kLanes; ++j) panel.dwords[d / 4 + j] = m[j];
  }
}

template <int kQueries>
void multiply_panel(const Panel& panel, const int8_t* queries, int64_t dim, int64_t dims, __m512i* sums) {
  __m512i local[kQueries];
  for (int q = 0; q < kQueries; ++q) local[q] = sums[q];
  for (int64_t d = 0; d < dims; d += 4) {
    const __m512i rows = panel.dwords[d / 4];
    for (int q = 0; q < kQueries; ++q) {
      int32_t dword;
      __builtin_memcpy(&dword, queries + q * dim + d, 4);
      local[q] = _mm512_dpbusd_epi32(local[q], rows, _mm512_set1_epi32(dword));
    }
  }
  for (int q = 0; q < kQueries; ++q) sums[q] = local[q];
}

using MultiplyPanel = void (*)(const Panel&, const int8_t*, int64_t, int64_t, __m512i*);
constexpr int64_t kGroup = 8;
constexpr MultiplyPanel kMultiplyPanel[kGroup] = {multiply_panel<1>, multiply_panel<2>, multiply_panel<3>,
                                                  multiply_panel<4>, multiply_panel<5>, multiply_panel<6>,
                                                  multiply_panel<7>, multiply_panel<8>};

// Minus 128 * sum(query): what sums start from.
void start_sums(const int8_t* queries, int64_t n, int64_t dim, int32_t* start) {
  for (int64_t q = 0; q < n; ++q) {
    start[q] = -_mm512_cvtsi512_si32(correction_of(queries + q * dim, dim));
  }
}

void tile16(const int8_t* queries, const int32_t* start, int64_t n_queries, const int8_t* rows, int64_t count,
            int64_t n, int64_t dim, int32_t* dots) {
  const __mmask16 lanes = lane_mask(count);
  Panel panel;
  for (int64_t from = 0; from < dim; from += kPanelDims) {
    const int64_t dims = dim - from < kPanelDims ? dim - from : kPanelDims;
    fill_panel(rows, count, dim, from, dims, panel);
    for (int64_t q = 0; q < n_queries; q += kGroup) {
      const int64_t group = n_queries - q < kGroup ? n_queries - q : kGroup;
      __m512i sums[kGroup];
      for (int64_t i = 0; i < group; ++i) {
        sums[i] = from == 0 ? _mm512_set1_epi32(start[q + i]) : _mm512_maskz_loadu_epi32(lanes, dots + (q + i) * n);
      }
      kMultiplyPanel[group - 1](panel, queries + q * dim + from, dim, dims, sums);
      for (int64_t i = 0; i < group; ++i) _mm512_mask_storeu_epi32(dots + (q + i) * n, lanes, sums[i]);
    }
  }
}

// Below this many queries a transpose costs more than the sums across lanes that it saves.
constexpr int64_t kTransposeFrom = 3;
constexpr int64_t kTransposeQueries = 64;
constexpr int64_t kCachedBytes = 16 * 1024;  // rows that stay in the first-level cache for the next query

void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  if (n_queries >= kTransposeFrom) {
    for (int64_t q = 0; q < n_queries; q += kTransposeQueries) {
      const int64_t group = n_queries - q < kTransposeQueries ? n_queries - q : kTransposeQueries;
      int32_t start[kTransposeQueries];
      start_sums(queries + q * dim, group, dim, start);
      for (int64_t first = 0; first < n; first += kLanes) {
        const int64_t count = n - first < kLanes ? n - first : kLanes;
        tile16(queries + q * dim, start, group, rows + first * dim, count, n, dim, dots + q * n + first);
      }
    }
    return;
  }
  const int64_t step = dim > kCachedBytes / kLanes ? kLanes : kCachedBytes / dim / kLanes * kLanes;
  for (int64_t first = 0; first < n; first += step) {
    const int64_t count = n - first < step ? n - first : step;
    for (int64_t q = 0; q < n_queries; ++q) {
      dot_rows(queries + q * dim, rows + first * dim, count, dim, dots + q * n + first);
    }
  }
}

uint64_t bits_not_below(__mmask16 lanes, __m512 scores, __m512 threshold) {
  return _mm512_mask_cmp_ps_mask(lanes, scores, threshold, _CMP_NLT_UQ);
}

uint64_t score(const int32_t* dots, const float* scales, const float* bias, int64_t n, const Scoring& scoring,
               float threshold, float* scores) {
  const __m512 limit = _mm512_set1_ps(threshold);
  const __m512 query_scale = _mm512_set1_ps(scoring.query_scale);
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const __mmask16 lanes = lane_mask(n - i);
    const __m512 by_row = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, dots + i)),
                                        _mm512_maskz_loadu_ps(lanes, scales + i));
    __m512 s = _mm512_mul_ps(by_row, query_scale);
    if (bias != nullptr) s = _mm512_add_ps(s, _mm512_maskz_loadu_ps(lanes, bias + i));
    if (scoring.l2) {
      s = _mm512_sub_ps(_mm512_mul_ps(_mm512_set1_ps(2.0f), s), _mm512_set1_ps(scoring.query_norm));
      s = _mm512_min_ps(_mm512_setzero_ps(), s);  // 0 < s ? 0 : s, so NaN stays
    }
    _mm512_mask_storeu_ps(scores + i, lanes, s);
    bits |= bits_not_below(lanes, s, limit) << i;
  }
  return bits;
}

uint64_t passing(const float* scores, int64_t n, float threshold) {
  const __m512 limit = _mm512_set1_ps(threshold);
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const __mmask16 lanes = lane_mask(n - i);
    bits |= bits_not_below(lanes, _mm512_maskz_loadu_ps(lanes, scores + i), limit) << i;
  }
  return bits;
}

}  // namespace

const Int8Kernels& int8_kernels_avx512vnni() {
  static constexpr Int8Kernels kernels = {dot_rows, dot_listed, dot_tile, score, passing};
  return kernels;
}

}  // namespace silverlode::cpu
