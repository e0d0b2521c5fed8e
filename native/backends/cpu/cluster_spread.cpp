#include "backends/cpu/cluster_spread.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace silverlode::cpu {

namespace {

// Clusters summed in one go: their entries stay in the first-level cache, and early rounds need few of them.
constexpr int64_t kPart = 64;

// The least that a sum of rows outside, not yet complete, leads to.
double least_misses(RecallEvidence evidence) {
  evidence.inside = std::numeric_limits<int64_t>::max();  // no surprise
  return expected_misses(evidence);
}

}  // namespace

int64_t ClusterSpread::rows_in(int64_t cluster) const { return stored_rows(stats(kRowsStat)[cluster]); }

ClusterSpread::ClusterSpread(const Context& context, const IvfSearch::Args& args, Carve& carve)
    : args_(args), kernels_(runtime(context).simd.floats) {
  const int64_t n = args.probe.batch * args.probe.heads * args.probe.n_clusters;
  expected_ = carve.take<float>(n);
  steepness_ = carve.take<float>(n);
  inside_ = carve.take<int32_t>(n);
  outside_ = carve.take<int32_t>(n);
}

void ClusterSpread::expect(int64_t head, int64_t cluster, int64_t n, const float* scores, float query_norm,
                           float* ranked) const {
  const int64_t at = head * args_.probe.n_clusters + cluster;
  const ClusterStats known = {
      .gain = stats(kGainStat) + cluster,
      .shift = stats(kShiftStat) + cluster,
      .variance = stats(kVarianceStat) + cluster,
      .bias_variance = stats(kBiasVarianceStat) + cluster,
      .query_norm = query_norm,
      .l2 = args_.probe.metric == Metric::kL2,
  };
  kernels_.expect_scores(known, scores, n, {expected_ + at, steepness_ + at, ranked});
  const float* rows = stats(kRowsStat) + cluster;
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

double ClusterSpread::expect_misses(int64_t head, float kth, RecallEvidence evidence, double most) const {
  const int64_t first = head * args_.probe.n_clusters;
  const float threshold = args_.probe.metric == Metric::kL2 ? -std::sqrt(squared_distance(kth)) : kth;
  uint64_t inside = 0;  // wraps around where a model file holds nonsense
  uint64_t outside = 0;
  for (int64_t part = 0; part < args_.probe.n_clusters; part += kPart) {
    const int64_t n = std::min(kPart, args_.probe.n_clusters - part);
    const int64_t at = first + part;
    int32_t entries[kPart];
    for (int64_t i = 0; i < n; ++i) entries[i] = tail_entry(threshold, expected_[at + i], steepness_[at + i]);
    for (int64_t i = 0; i < n; ++i) {
      const auto share = static_cast<uint64_t>(args_.tail[entries[i]]);
      inside += static_cast<uint64_t>(inside_[at + i]) * share;
      outside += static_cast<uint64_t>(outside_[at + i]) * share;
    }
    evidence.inside = static_cast<int64_t>(inside);
    evidence.outside = static_cast<int64_t>(outside);
    if (least_misses(evidence) > most) return std::numeric_limits<double>::infinity();
  }
  return expected_misses(evidence);
}

}  // namespace silverlode::cpu
