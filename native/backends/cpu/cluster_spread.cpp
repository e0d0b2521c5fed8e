#include "backends/cpu/cluster_spread.h"

#include <algorithm>
#include <cmath>

#include "ops/recall_estimate.h"

namespace silverlode::cpu {

namespace {

// Clusters summed in one go: their entries stay in registers and the first-level cache.
constexpr int64_t kPart = 256;

// Minus the distance of a score that is minus its square; NaN for NaN.
float distance_of(float score) { return -std::sqrt(squared_distance(score)); }

}  // namespace

int64_t ClusterSpread::rows_in(int64_t cluster) const { return stored_rows(stats(kRowsStat)[cluster]); }

ClusterSpread::ClusterSpread(const IvfSearch::Args& args, Carve& carve) : args_(args) {
  const int64_t n = args.probe.batch * args.probe.heads * args.probe.n_clusters;
  expected_ = carve.take<float>(n);
  steepness_ = carve.take<float>(n);
  inside_ = carve.take<int32_t>(n);
  outside_ = carve.take<int32_t>(n);
}

void ClusterSpread::expect(int64_t head, int64_t cluster, int64_t n, const float* scores, float query_norm,
                           float* ranked) const {
  const int64_t at = head * args_.probe.n_clusters + cluster;
  const bool l2 = args_.probe.metric == Metric::kL2;
  const float norm = l2 ? 1.0f : query_norm;
  const float* gain = stats(kGainStat) + cluster;
  const float* shift = stats(kShiftStat) + cluster;
  const float* variance = stats(kVarianceStat) + cluster;
  const float* bias_variance = stats(kBiasVarianceStat) + cluster;
  const float* rows = stats(kRowsStat) + cluster;
  float* expected = expected_ + at;
  float* steepness = steepness_ + at;
  for (int64_t i = 0; i < n; ++i) {
    const float scaled = gain[i] * scores[i];
    expected[i] = scaled + shift[i];
  }
  if (l2) {
    for (int64_t i = 0; i < n; ++i) expected[i] = distance_of(expected[i]);
  }
  for (int64_t i = 0; i < n; ++i) {
    const float by_query = variance[i] * norm;
    const float spread = std::sqrt(l2 ? by_query : by_query + bias_variance[i]);
    const float wide = kRankSpreads * spread;
    ranked[i] = expected[i] + wide;
    const float steep = kTailSteps / spread;
    steepness[i] = steep < kSteepest ? steep : kSteepest;
    expected[i] = spread > 0.0f ? expected[i] : below(expected[i]);
  }
  for (int64_t i = 0; i < n; ++i) {
    inside_[at + i] = 0;
    outside_[at + i] = stored_rows(rows[i]);
  }
}

void ClusterSpread::see(int64_t head, int64_t cluster, int64_t eligible) const {
  const int64_t at = head * args_.probe.n_clusters + cluster;
  inside_[at] = static_cast<int32_t>(eligible);
  outside_[at] = 0;
}

void ClusterSpread::count_above(int64_t head, float score, int64_t& inside, int64_t& outside) const {
  const int64_t first = head * args_.probe.n_clusters;
  const float threshold = args_.probe.metric == Metric::kL2 ? distance_of(score) : score;
  uint64_t above_inside = 0;
  uint64_t above_outside = 0;
  for (int64_t part = 0; part < args_.probe.n_clusters; part += kPart) {
    const int64_t n = std::min(kPart, args_.probe.n_clusters - part);
    const int64_t at = first + part;
    int32_t entries[kPart];
    for (int64_t i = 0; i < n; ++i) entries[i] = tail_entry(threshold, expected_[at + i], steepness_[at + i]);
    for (int64_t i = 0; i < n; ++i) {
      const auto share = static_cast<uint64_t>(args_.tail[entries[i]]);
      above_inside += static_cast<uint64_t>(inside_[at + i]) * share;
      above_outside += static_cast<uint64_t>(outside_[at + i]) * share;
    }
  }
  inside = static_cast<int64_t>(above_inside);
  outside = static_cast<int64_t>(above_outside);
}

}  // namespace silverlode::cpu
