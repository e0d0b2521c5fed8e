// What ivf_search knows of the clusters of each head besides their centroids' scores: where their members are expected to
// score, and how many of them above a threshold (ops/recall_estimate.h).
#pragma once

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "ops/ivf_search.h"
#include "ops/recall_estimate.h"

namespace silverlode::cpu {

// Per head and cluster, by id.
struct ClusterSpread {
  ClusterSpread(const Context& context, const IvfSearch::Args& args, Carve& carve);

  // What `n` clusters from `cluster` on are expected to hold for a head, from their centroids' scores. Gives the scores that
  // they are ranked by.
  void expect(int64_t head, int64_t cluster, int64_t n, const float* scores, float query_norm, float* ranked) const;
  // A cluster that a head has seen, with its eligible rows.
  void see(int64_t head, int64_t cluster, int64_t eligible) const;
  int64_t rows_in(int64_t cluster) const;
  // expected_misses, from the score of the k-th row, where that is `most` or less; else infinity, as soon as that is certain.
  double expect_misses(int64_t head, float kth, RecallEvidence evidence, double most) const;

 private:
  const float* stats(int64_t row) const { return args_.cluster_stats + row * args_.probe.n_clusters; }

  const IvfSearch::Args& args_;
  const FloatKernels& kernels_;
  float* expected_;   // [batch, heads, C]
  float* steepness_;  // [batch, heads, C]
  int32_t* inside_;   // [batch, heads, C] eligible rows of clusters seen, else 0
  int32_t* outside_;  // [batch, heads, C] rows of the others
};

// How the walk of a request that stops by the search's word differs from that of ivf_probe.
struct SearchRounds {
  int64_t first_round;
  const ClusterSpread& spread;
};

}  // namespace silverlode::cpu
