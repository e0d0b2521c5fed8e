// Int8 dot products and the scores made of them. Every int8 value is allowed; an int32 sum is exact up to dim 131 071, and
// ops limit dim to 65 536. `dim` is a multiple of 32; rows and queries are `dim` apart and need no alignment.
#pragma once

#include <cstdint>

namespace silverlode::cpu {

// What turns a dot product into a score besides the row's own scale and bias (ops/metric.h).
struct Scoring {
  float query_scale = 0.0f;
  float query_norm = 0.0f;  // |q̂|², read for l2 only
  bool l2 = false;
};

// Rows that `score` and `passing` handle in one call: the bits of one mask word.
constexpr int64_t kScoreRows = 64;

struct Int8Kernels {
  // dots[r] = query · rows[r] for n consecutive rows.
  void (*dot_rows)(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots);
  // dots[i] = query · rows[index[i]]: only the listed rows are read. The caller fetches them ahead.
  void (*dot_listed)(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim,
                     int32_t* dots);
  // dots[q * n + r] for any number of queries over n consecutive rows: each row is fetched from memory once.
  void (*dot_tile)(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots);

  // Scores of n <= kScoreRows dot products. Bit i of the result is clear when scores[i] < threshold; NaN passes.
  uint64_t (*score)(const int32_t* dots, const float* scales, const float* bias /* may be null */, int64_t n,
                    const Scoring& scoring, float threshold, float* scores);
  // The same bits for scores that exist already.
  uint64_t (*passing)(const float* scores, int64_t n, float threshold);
};

const Int8Kernels& int8_kernels_serial();
const Int8Kernels& int8_kernels_avx2();
const Int8Kernels& int8_kernels_avx512vnni();
const Int8Kernels& int8_kernels_neon();

}  // namespace silverlode::cpu
