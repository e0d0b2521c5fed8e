// Int8 kernels for Arm with the dot-product extension: vdotq multiplies signed bytes directly.
#include <arm_neon.h>

#include "backends/cpu/simd/int8_kernels.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kLanes = 4;

template <class RowAt>
int32x4_t dot4(const int8_t* query, const RowAt& row_at, int64_t dim) {
  int32x4_t sums[kLanes];
  const int8_t* rows[kLanes];
  for (int64_t r = 0; r < kLanes; ++r) {
    sums[r] = vdupq_n_s32(0);
    rows[r] = row_at(r);
  }
  for (int64_t d = 0; d < dim; d += 32) {
    const int8x16_t low = vld1q_s8(query + d);
    const int8x16_t high = vld1q_s8(query + d + 16);
    for (int64_t r = 0; r < kLanes; ++r) {
      sums[r] = vdotq_s32(sums[r], vld1q_s8(rows[r] + d), low);
      sums[r] = vdotq_s32(sums[r], vld1q_s8(rows[r] + d + 16), high);
    }
  }
  return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
}

// Blocks of four rows; the last block repeats its last row and stores only what exists.
template <class RowAt>
void dot_all(const int8_t* query, const RowAt& row_at, int64_t n, int64_t dim, int32_t* dots) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    vst1q_s32(dots + i, dot4(query, [&](int64_t r) { return row_at(i + r); }, dim));
  }
  if (i < n) {
    int32_t last[kLanes];
    vst1q_s32(last, dot4(query, [&](int64_t r) { return row_at(i + r < n ? i + r : n - 1); }, dim));
    for (int64_t r = 0; i + r < n; ++r) dots[i + r] = last[r];
  }
}

void dot_rows(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  dot_all(query, [=](int64_t r) { return rows + r * dim; }, n, dim, dots);
}

void dot_listed(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots) {
  dot_all(query, [=](int64_t i) { return rows + index[i] * dim; }, n, dim, dots);
}

// Four queries by four rows: sixteen sums, four rows and a query in registers.
void dot_4x4(const int8_t* queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  int32x4_t sums[kLanes][kLanes];
  for (auto& query : sums) {
    for (int32x4_t& sum : query) sum = vdupq_n_s32(0);
  }
  for (int64_t d = 0; d < dim; d += 16) {
    int8x16_t row[kLanes];
    for (int64_t r = 0; r < kLanes; ++r) row[r] = vld1q_s8(rows + r * dim + d);
    for (int64_t q = 0; q < kLanes; ++q) {
      const int8x16_t query = vld1q_s8(queries + q * dim + d);
      for (int64_t r = 0; r < kLanes; ++r) sums[q][r] = vdotq_s32(sums[q][r], row[r], query);
    }
  }
  for (int64_t q = 0; q < kLanes; ++q) {
    vst1q_s32(dots + q * n, vpaddq_s32(vpaddq_s32(sums[q][0], sums[q][1]), vpaddq_s32(sums[q][2], sums[q][3])));
  }
}

void dot_tile(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots) {
  const int64_t grouped = n_queries & ~(kLanes - 1);
  for (int64_t first = 0; first < n; first += kLanes) {
    const int64_t count = n - first < kLanes ? n - first : kLanes;
    const int8_t* block = rows + first * dim;
    const int64_t whole = count == kLanes ? grouped : 0;
    for (int64_t q = 0; q < whole; q += kLanes) dot_4x4(queries + q * dim, block, n, dim, dots + q * n + first);
    for (int64_t q = whole; q < n_queries; ++q) {
      dot_rows(queries + q * dim, block, count, dim, dots + q * n + first);
    }
  }
}

// One bit per lane, set where the score is not below the threshold.
uint64_t bits_not_below(float32x4_t scores, float32x4_t threshold) {
  const uint32_t weights[kLanes] = {1, 2, 4, 8};
  const uint32x4_t below = vcltq_f32(scores, threshold);
  return vaddvq_u32(vbicq_u32(vld1q_u32(weights), below));
}

uint64_t passing(const float* scores, int64_t n, float threshold) {
  uint64_t bits = 0;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) bits |= bits_not_below(vld1q_f32(scores + i), vdupq_n_f32(threshold)) << i;
  for (; i < n; ++i) bits |= static_cast<uint64_t>(!(scores[i] < threshold)) << i;
  return bits;
}

float32x4_t score4(int32x4_t dots, float32x4_t scales, float32x4_t bias, bool biased, const Scoring& scoring) {
  float32x4_t s = vmulq_f32(vmulq_f32(vcvtq_f32_s32(dots), scales), vdupq_n_f32(scoring.query_scale));
  if (biased) s = vaddq_f32(s, bias);
  if (scoring.l2) {
    s = vsubq_f32(vmulq_f32(vdupq_n_f32(2.0f), s), vdupq_n_f32(scoring.query_norm));
    s = vbslq_f32(vcgtq_f32(s, vdupq_n_f32(0.0f)), vdupq_n_f32(0.0f), s);
  }
  return s;
}

uint64_t score(const int32_t* dots, const float* scales, const float* bias, int64_t n, const Scoring& scoring,
               float threshold, float* scores) {
  const bool biased = bias != nullptr;
  const float32x4_t zero = vdupq_n_f32(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    vst1q_f32(scores + i,
              score4(vld1q_s32(dots + i), vld1q_f32(scales + i), biased ? vld1q_f32(bias + i) : zero, biased, scoring));
  }
  for (; i < n; ++i) {
    const float32x4_t one =
        score4(vdupq_n_s32(dots[i]), vdupq_n_f32(scales[i]), biased ? vdupq_n_f32(bias[i]) : zero, biased, scoring);
    scores[i] = vgetq_lane_f32(one, 0);
  }
  return passing(scores, n, threshold);
}

}  // namespace

const Int8Kernels& int8_kernels_neon() {
  static constexpr Int8Kernels kernels = {dot_rows, dot_listed, dot_tile, score, passing};
  return kernels;
}

}  // namespace silverlode::cpu
