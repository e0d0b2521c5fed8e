// What an ivf_search keeps in its workspace besides what its walk and its scan do: what each head knows of the clusters
// (ops/recall_estimate.h), and what it has seen of them.
#pragma once

#include "backends/cuda/device/probe_walk.cuh"
#include "backends/cuda/device/scan_work.cuh"
#include "ops/ivf_search.h"
#include "ops/recall_estimate.h"

namespace silverlode::cuda {

// Rows of the clusters that a head has seen, and of those that are eligible the ones of its last round.
struct SearchHead {
  int64_t rows, rows_round, eligible_round;
  double misses;
};

struct SearchWork {
  SearchWork(const IvfSearch::Args& args, int32_t n_rounds, size_t memory_bytes, Carve& carve)
      : rounds(n_rounds),
        heads(carve.take<SearchHead>(args.probe.batch * args.probe.heads)),
        stats(carve.take<unsigned long long>(4 * args.probe.batch)),
        zeroed_end(carve.take<uint8_t>(0)),
        expected(carve.take<float2>(args.probe.batch * args.probe.heads * args.probe.n_clusters)),
        rows(carve.take<int32_t>(args.probe.batch * args.probe.heads * args.probe.n_clusters)),
        mask_of(carve.take<int32_t>(args.probe.batch)),
        scanned(carve.take<int64_t>(args.probe.batch)),
        probe(args.probe, n_rounds, carve),
        scan(args.scan, memory_bytes, carve) {
    // Mask rows of groups, by owner, then of requests with excludes.
    probe.own_rows = args.probe.plans.plans > 0 ? args.probe.batch : 0;
    mask =
        carve.take<uint64_t>((probe.own_rows + (args.probe.n_exclude > 0 ? args.probe.batch : 0)) * args.probe.words);
    scan.rounds = 1;  // of a round of the search
  }

  int32_t rounds;

  // All zero when a run starts, and next to each other.
  SearchHead* heads;          // [batch, heads]
  unsigned long long* stats;  // [batch, 4] as those of ivf_probe
  void* zeroed_end;

  float2* expected;  // [batch, heads, C] where members are expected to score, and the steepness of the tail
  int32_t* rows;     // [batch, heads, C] of clusters that the head has not seen; ~ eligible rows of the others
  int32_t* mask_of;  // [batch]
  int64_t* scanned;  // [batch]
  uint64_t* mask;
  ProbeWork probe;
  ScanWork scan;
};

namespace {

// Minus the distance of a score that is minus its square; NaN for NaN.
__device__ inline float distance_of(float score) { return -sqrtf(squared_distance(score)); }

__device__ inline bool is_adaptive(const IvfSearch::Args& args, int64_t request) {
  return args.allowed_misses[request] >= 0.0f;
}

// What clusters rank by: what their best members are expected to score.
struct ExpectedScore {
  const IvfSearch::Args& args;
  const SearchWork& work;

  __device__ float operator()(int64_t head, int64_t cluster, float score, float query_norm) const {
    const int64_t n = args.probe.n_clusters;
    const int64_t at = head * n + cluster;
    const float* stats = args.cluster_stats + cluster;
    const bool l2 = args.probe.metric == Metric::kL2;
    const float scaled = stats[kGainStat * n] * score;
    float expected = scaled + stats[kShiftStat * n];
    if (l2) expected = distance_of(expected);
    const float by_query = stats[kVarianceStat * n] * (l2 ? 1.0f : query_norm);
    const float spread = sqrtf(l2 ? by_query : by_query + stats[kBiasVarianceStat * n]);
    const float wide = kRankSpreads * spread;
    const float steep = kTailSteps / spread;
    work.expected[at] = {spread > 0.0f ? expected : below(expected), steep < kSteepest ? steep : kSteepest};
    work.rows[at] = stored_rows(stats[kRowsStat * n]);
    if (cluster == 0) work.scan.queries[head].norm = query_norm;
    return expected + wide;
  }
};

// Rows expected at or above a score, times 2^20, in the clusters seen and in the others; by a whole block.
__device__ inline void count_above(const IvfSearch::Args& args, const SearchWork& work, int64_t head, float score,
                                   RecallEvidence& evidence) {
  const int64_t n = args.probe.n_clusters;
  const float threshold = args.probe.metric == Metric::kL2 ? distance_of(score) : score;
  uint64_t inside = 0;
  uint64_t outside = 0;
  for (int64_t i = threadIdx.x; i < n; i += kProbeThreads) {
    const float2 expected = work.expected[head * n + i];
    const int32_t rows = work.rows[head * n + i];
    const auto share = static_cast<uint64_t>(args.tail[tail_entry(threshold, expected.x, expected.y)]);
    if (rows < 0) {
      inside += static_cast<uint64_t>(~rows) * share;
    } else {
      outside += static_cast<uint64_t>(rows) * share;
    }
  }
  evidence.inside = static_cast<int64_t>(block_scan<kProbeThreads>(inside).total);
  evidence.outside = static_cast<int64_t>(block_scan<kProbeThreads>(outside).total);
}

}  // namespace

}  // namespace silverlode::cuda
