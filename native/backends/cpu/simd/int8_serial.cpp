// The plain form of every int8 kernel: what the other levels must equal bit for bit.
#include "backends/cpu/simd/int8_kernels.h"
#include "ops/metric.h"

namespace silverlode::cpu {

namespace {

int32_t dot(const int8_t* a, const int8_t* b, int64_t dim) {
  int32_t sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += static_cast<int32_t>(a[i]) * static_cast<int32_t>(b[i]);
  return sum;
}

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  for (int64_t row = 0; row < n; ++row) dots[row] = dot(query, rows + row * dim, dim);
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  for (int64_t i = 0; i < n; ++i) dots[i] = dot(query, rows + index[i] * dim, dim);
}

void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t q = 0; q < n_queries; ++q) dots[q * n + row] = dot(queries + q * dim, rows + row * dim, dim);
  }
}

uint64_t passing(const float* scores, int64_t n, float threshold) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; ++i) bits |= static_cast<uint64_t>(!(scores[i] < threshold)) << i;
  return bits;
}

uint64_t score(const int32_t* dots, const float* scales, const float* bias, int64_t n, const Scoring& scoring,
               float threshold, float* scores) {
  for (int64_t i = 0; i < n; ++i) {
    float value = scaled_dot(dots[i], scales[i], scoring.query_scale);
    if (bias != nullptr) value += bias[i];
    if (scoring.l2) value = l2_score(value, scoring.query_norm);
    scores[i] = value;
  }
  return passing(scores, n, threshold);
}

}  // namespace

const Int8Kernels& int8_kernels_serial() {
  static constexpr Int8Kernels kernels = {dot_rows, dot_listed, dot_tile, score, passing};
  return kernels;
}

}  // namespace silverlode::cpu
