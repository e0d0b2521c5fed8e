// What ivf_search expects of clusters, on a vector type: the formulas of ops/recall_estimate.h.
#pragma once

#include "backends/cpu/simd/map_kernels.h"
#include "ops/recall_estimate.h"

namespace silverlode::cpu {

template <class V>
V minus(V value) {
  return V(0.0f) - value;
}

// d(s) = -√-s
template <class V>
V distance_of(V score) {
  return minus(sqrt(select(V(0.0f) < score, V(0.0f), minus(score))));
}

// FloatKernels::expect_scores
template <class V>
void expect_scores(const ClusterStats& stats, const float* scores, int64_t n, const ExpectedScores& to) {
  const auto expect = [&](int64_t i, auto load, auto store) {
    const V scaled = load(stats.gain + i) * load(scores + i);
    V expected = scaled + load(stats.shift + i);
    V variance = load(stats.variance + i);
    if (stats.l2) {
      expected = distance_of(expected);
    } else {
      variance = variance * V(stats.query_norm);
      variance = variance + load(stats.bias_variance + i);
    }
    const V spread = sqrt(variance);
    const V wide = V(kRankSpreads) * spread;
    store(expected + wide, to.ranked + i);
    store(min(V(kTailSteps) / spread, V(kSteepest)), to.steepness + i);
    const V size = select(expected < V(0.0f), minus(expected), expected);
    const V gap = size * V(kEqualByScore) + V(kEqualAtZero);
    store(select(V(0.0f) < spread, expected, expected - gap), to.expected + i);
  };
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    expect(i, [](const float* from) { return V::load(from); }, [](V value, float* out) { value.store(out); });
  }
  if (i == n) return;
  expect(
      i, [&](const float* from) { return load_part<V>(from, n - i); },
      [&](V value, float* out) { store_part(value, out, n - i); });
}

}  // namespace silverlode::cpu
