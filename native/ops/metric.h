// How an int8 dot product becomes a score (contracts 1.2). Every step is rounded once to float32, nothing is contracted;
// larger is always better, and all of it happens before any selection. constexpr, so that CUDA kernels may call these too.
#pragma once

#include <cstdint>

#include "core/status.h"

namespace silverlode {

// kCosine differs from kInnerProduct only in that rows and queries are normalised before they are quantised.
enum class Metric : int32_t { kInnerProduct = 0, kCosine = 1, kL2 = 2 };

Status parse_metric(const char* name, Metric& metric);  // "ip", "cosine", "l2"

// s = fround(fround(float(dot) * row_scale) * query_scale), of a dot product that is a float already.
constexpr float scaled_float_dot(float dot, float row_scale, float query_scale) {
  const float by_row = dot * row_scale;
  return by_row * query_scale;
}

constexpr float scaled_dot(int32_t dot, float row_scale, float query_scale) {
  return scaled_float_dot(static_cast<float>(dot), row_scale, query_scale);
}

// The negative squared distance from a biased score: min(0, fround(2*s - |q̂|²)).
constexpr float l2_score(float score, float query_norm) {
  const float doubled = 2.0f * score;  // exact
  const float distance = doubled - query_norm;
  return distance > 0.0f ? 0.0f : distance;
}

// |x̂|² of a quantised row: the integer sum of squares is exact, so one rounding to float32 is left at the end.
constexpr float dequantized_norm(int64_t sum_of_squares, float scale) {
  const double s = static_cast<double>(scale);
  return static_cast<float>(static_cast<double>(sum_of_squares) * s * s);
}

}  // namespace silverlode
