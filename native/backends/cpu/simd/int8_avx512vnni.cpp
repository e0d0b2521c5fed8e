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

// Dots of sixteen rows with a few queries, [kQueries][16]: each row is loaded once for all of them.
template <int kQueries, class RowAt, class Dim>
[[gnu::always_inline]] inline void dot16_few(const int8_t* queries, const __m512i* corrections, const RowAt& row_at,
                                             Dim dim, __m512i* dots) {
  __m512i quarters[kQueries][4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    __m512i sums[kQueries][4];
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) sums[q][i] = _mm512_setzero_si512();
    }
    const auto step = [&](int64_t d, __mmask64 mask) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m512i row = load_biased(row_at(4 * r + i) + d, mask);
#pragma GCC unroll 4
        for (int q = 0; q < kQueries; ++q) {
          sums[q][i] = _mm512_dpbusd_epi32(sums[q][i], row, load_signed(queries + q * dim + d, mask));
        }
      }
    };
    int64_t d = 0;
    for (; d + 64 <= dim; d += 64) step(d, ~__mmask64{0});
    if (d < dim) step(d, byte_mask(dim - d));
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
      quarters[q][r] = add_pairs64(add_pairs32(sums[q][0], sums[q][1]), add_pairs32(sums[q][2], sums[q][3]));
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q) {
    const __m512i low = add_quarters(quarters[q][0], quarters[q][1]);
    const __m512i high = add_quarters(quarters[q][2], quarters[q][3]);
    dots[q] = _mm512_sub_epi32(add_quarters(low, high), corrections[q]);
  }
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

template <int kQueries>
void dot_few(const int8_t* queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  with_dim(dim, [=](auto d) {
    __m512i corrections[kQueries];
    for (int q = 0; q < kQueries; ++q) corrections[q] = correction_of(queries + q * d, d);
    for (int64_t i = 0; i < n; i += kLanes) {
      __m512i own[kQueries];
      if (i + kLanes <= n) {
        dot16_few<kQueries>(queries, corrections, [=](int64_t r) { return rows + (i + r) * d; }, d, own);
      } else {
        const auto clamped = [=](int64_t r) { return rows + (i + r < n ? i + r : n - 1) * d; };
        dot16_few<kQueries>(queries, corrections, clamped, d, own);
      }
      for (int q = 0; q < kQueries; ++q) _mm512_mask_storeu_epi32(dots + q * n + i, lane_mask(n - i), own[q]);
    }
  });
}

// Blocks of sixteen rows, transposed once and then multiplied with every query without any sum across lanes. Long rows are
// done in pieces so that a panel stays in the first-level cache.
constexpr int64_t kPanelDims = 256;
constexpr int64_t kPanelBlocks = 4;

struct alignas(64) Panel {
  __m512i dwords[kPanelDims / 4][kPanelBlocks];  // lane r of [j][b]: dword j of row 16b + r
};

__m128i load16(const int8_t* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); }

// Sixteen bytes of rows i, i + 4, i + 8 and i + 12, biased.
__m512i load_quarters(const int8_t* const* rows, int64_t d) {
  __m512i quarters = _mm512_castsi128_si512(load16(rows[0] + d));
  quarters = _mm512_inserti32x4(quarters, load16(rows[4] + d), 1);
  quarters = _mm512_inserti32x4(quarters, load16(rows[8] + d), 2);
  quarters = _mm512_inserti32x4(quarters, load16(rows[12] + d), 3);
  return _mm512_xor_si512(quarters, _mm512_set1_epi8(static_cast<char>(0x80)));
}

// Loads place every quarter of a vector, so only the four dwords within it are left to transpose. Past its end `rows`
// repeats its last row.
void fill_block(const int8_t* rows, int64_t n, int64_t dim, int64_t from, int64_t dims, int64_t block, Panel& panel) {
  const int8_t* row_at[kLanes];
  for (int64_t r = 0; r < kLanes; ++r) {
    const int64_t row = block * kLanes + r;
    row_at[r] = rows + (row < n ? row : n - 1) * dim + from;
  }
  for (int64_t d = 0; d < dims; d += 16) {
    const __m512i a = load_quarters(row_at, d);
    const __m512i b = load_quarters(row_at + 1, d);
    const __m512i c = load_quarters(row_at + 2, d);
    const __m512i e = load_quarters(row_at + 3, d);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b);
    const __m512i ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i ce_low = _mm512_unpacklo_epi32(c, e);
    const __m512i ce_high = _mm512_unpackhi_epi32(c, e);
    panel.dwords[d / 4][block] = _mm512_unpacklo_epi64(ab_low, ce_low);
    panel.dwords[d / 4 + 1][block] = _mm512_unpackhi_epi64(ab_low, ce_low);
    panel.dwords[d / 4 + 2][block] = _mm512_unpacklo_epi64(ab_high, ce_high);
    panel.dwords[d / 4 + 3][block] = _mm512_unpackhi_epi64(ab_high, ce_high);
  }
}

// Where sums come from and go to: those of query q and block b at dots[q * stride + 16b].
struct Sums {
  int32_t* dots;
  int64_t stride;
  const int32_t* start;  // what those of a query start from; null to go on with what is there
  __mmask16 last_lanes;  // of the last block
};

// The type that dpbusd itself works on: sums of another one are copied to and fro in every step (GCC 12).
using Lanes32 [[gnu::vector_size(64)]] = int32_t;

// A query's dwords are loaded once for all blocks: with fewer blocks the loads would be what limits.
template <int kQueries, int kBlocks>
void multiply_panel(const Panel& panel, const int8_t* queries, int64_t dim, int64_t dims, const Sums& sums) {
  const auto lanes = [&](int b) { return b == kBlocks - 1 ? sums.last_lanes : __mmask16{0xffff}; };
  Lanes32 local[kQueries][kBlocks];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) {
      local[q][b] = reinterpret_cast<Lanes32>(
          sums.start != nullptr ? _mm512_set1_epi32(sums.start[q])
                                : _mm512_maskz_loadu_epi32(lanes(b), sums.dots + q * sums.stride + b * kLanes));
    }
  }
  int64_t d = 0;
  do {
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      int32_t dword;
      __builtin_memcpy(&dword, queries + q * dim + d, 4);
      const __m512i query = _mm512_set1_epi32(dword);
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; ++b) {
        const __m512i sum = reinterpret_cast<__m512i>(local[q][b]);
        local[q][b] = reinterpret_cast<Lanes32>(_mm512_dpbusd_epi32(sum, panel.dwords[d / 4][b], query));
      }
    }
    d += 4;
  } while (d < dims);
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) {
      _mm512_mask_storeu_epi32(sums.dots + q * sums.stride + b * kLanes, lanes(b),
                               reinterpret_cast<__m512i>(local[q][b]));
    }
  }
}

using MultiplyPanel = void (*)(const Panel&, const int8_t*, int64_t, int64_t, const Sums&);
constexpr int64_t kGroup = 4;
constexpr MultiplyPanel kMultiplyPanel[2][kGroup] = {
    {multiply_panel<1, 1>, multiply_panel<2, 1>, multiply_panel<3, 1>, multiply_panel<4, 1>},
    {multiply_panel<1, 4>, multiply_panel<2, 4>, multiply_panel<3, 4>, multiply_panel<4, 4>}};

// Minus 128 * sum(query): what sums start from.
void start_sums(const int8_t* queries, int64_t n, int64_t dim, int32_t* start) {
  for (int64_t q = 0; q < n; ++q) {
    start[q] = -_mm512_cvtsi512_si32(correction_of(queries + q * dim, dim));
  }
}

// `blocks` is 1 or kPanelBlocks; the last of them may hold fewer than sixteen of the `count` rows.
void multiply_rows(const int8_t* queries, const int32_t* start, int64_t n_queries, const int8_t* rows, int64_t count,
                   int64_t blocks, int64_t n, int64_t dim, int32_t* dots) {
  const __mmask16 last_lanes = lane_mask(count - (blocks - 1) * kLanes);
  const int64_t passes = (n_queries + kGroup - 1) / kGroup;
  const int64_t even = (n_queries + passes - 1) / passes;  // a small group at the end would wait for its own sums
  Panel panel;
  for (int64_t from = 0; from < dim; from += kPanelDims) {
    const int64_t dims = dim - from < kPanelDims ? dim - from : kPanelDims;
    for (int64_t b = 0; b < blocks; ++b) fill_block(rows, count, dim, from, dims, b, panel);
    for (int64_t q = 0; q < n_queries; q += even) {
      const int64_t group = n_queries - q < even ? n_queries - q : even;
      const Sums sums = {dots + q * n, n, from == 0 ? start + q : nullptr, last_lanes};
      kMultiplyPanel[blocks > 1][group - 1](panel, queries + q * dim + from, dim, dims, sums);
    }
  }
}

constexpr int64_t kTransposeQueries = 64;
// For a few queries a transpose costs more than the sums across lanes that it saves.
void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  switch (n_queries) {
    case 1: return dot_rows(queries, rows, n, dim, dots);
    case 2: return dot_few<2>(queries, rows, n, dim, dots);
    case 3: return dot_few<3>(queries, rows, n, dim, dots);
    case 4: return dot_few<4>(queries, rows, n, dim, dots);
    default: break;
  }
  for (int64_t q = 0; q < n_queries; q += kTransposeQueries) {
    const int64_t group = n_queries - q < kTransposeQueries ? n_queries - q : kTransposeQueries;
    int32_t start[kTransposeQueries];
    start_sums(queries + q * dim, group, dim, start);
    for (int64_t first = 0, step; first < n; first += step) {
      const int64_t blocks = n - first > (kPanelBlocks - 1) * kLanes ? kPanelBlocks : 1;
      step = blocks * kLanes;
      const int64_t count = n - first < step ? n - first : step;
      multiply_rows(queries + q * dim, start, group, rows + first * dim, count, blocks, n, dim, dots + q * n + first);
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
