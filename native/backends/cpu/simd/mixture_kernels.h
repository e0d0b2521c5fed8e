// Reductions along a row on a vector type: sixteen partial sums at every level, added in halves, so that bits agree.
#pragma once

#include <cmath>
#include <cstring>

#include "backends/math/math.h"

namespace silverlode::cpu {

// Sixteen lanes.
template <class V>
struct Block {
  static constexpr int64_t kLanes = 16;
  static constexpr int kParts = static_cast<int>(kLanes / V::kLanes);
  V parts[kParts];

  explicit Block(float value) {
    for (int i = 0; i < kParts; ++i) parts[i] = V(value);
  }
  explicit Block(const float* from) {
    for (int i = 0; i < kParts; ++i) parts[i] = V::load(from + i * V::kLanes);
  }
  // The first n lanes from memory.
  Block(const float* from, int64_t n, float rest) {
    float whole[kLanes];
    for (float& lane : whole) lane = rest;
    std::memcpy(whole, from, static_cast<size_t>(n) * sizeof(float));
    *this = Block(static_cast<const float*>(whole));
  }
  // combine(lane, lane + 8), then + 4, + 2, + 1.
  template <class F>
  float reduce(F combine) const {
    float lanes[kLanes];
    for (int i = 0; i < kParts; ++i) parts[i].store(lanes + i * V::kLanes);
    for (int64_t step = kLanes / 2; step > 0; step /= 2) {
      for (int64_t i = 0; i < step; ++i) lanes[i] = combine(lanes[i], lanes[i + step]);
    }
    return lanes[0];
  }
  float sum() const {
    return reduce([](float a, float b) { return a + b; });
  }
};

// f(block, first) for every block of x; lanes beyond the end hold `rest`.
template <class V, class F>
void each_block(const float* x, int64_t n, float rest, F f) {
  int64_t i = 0;
  for (; i + Block<V>::kLanes <= n; i += Block<V>::kLanes) f(Block<V>(x + i), i);
  if (i < n) f(Block<V>(x + i, n - i, rest), i);
}

// FloatKernels::row_norms
template <class V>
void row_norms(const float* x, int64_t rows, int64_t dim, float* y) {
  for (int64_t row = 0; row < rows; ++row) {
    Block<V> sums(0.0f);
    each_block<V>(x + row * dim, dim, 0.0f, [&](const Block<V>& block, int64_t) {
      for (int i = 0; i < Block<V>::kParts; ++i) sums.parts[i] = fma(block.parts[i], block.parts[i], sums.parts[i]);
    });
    y[row] = std::sqrt(sums.sum());
  }
}

// FloatKernels::softmax_mean
template <class V>
float softmax_mean(const float* gates, const float* values, int64_t n) {
  using B = Block<V>;
  B tops(-math::kInfinity);
  each_block<V>(gates, n, -math::kInfinity, [&](const B& block, int64_t) {
    for (int i = 0; i < B::kParts; ++i) tops.parts[i] = max(tops.parts[i], block.parts[i]);
  });
  const V top(tops.reduce([](float a, float b) { return a > b ? a : b; }));
  B total(0.0f), weighted(0.0f);
  each_block<V>(gates, n, -math::kInfinity, [&](const B& block, int64_t first) {
    const B factors = first + B::kLanes <= n ? B(values + first) : B(values + first, n - first, 0.0f);
    for (int i = 0; i < B::kParts; ++i) {
      const V e = math::exp(block.parts[i] - top);  // 0 in lanes beyond the end
      total.parts[i] = total.parts[i] + e;
      weighted.parts[i] = fma(e, factors.parts[i], weighted.parts[i]);
    }
  });
  return weighted.sum() / total.sum();
}

}  // namespace silverlode::cpu
