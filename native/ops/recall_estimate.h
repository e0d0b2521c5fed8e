// How ivf_search decides that a list is complete enough: from the scores of centroids, how the scores of a cluster's members
// lie around them, and the k-th best score found so far. The idea is that of adaptive partition scanning (Quake, OSDI 2025),
// with a tail that is measured instead of assumed. Single float32 roundings and integer sums: the same answer on every
// device, at every SIMD level and in any order. constexpr, so that CUDA kernels may call these too.
//
// cluster_stats float32 [5, C], written when a model is published (lib/index/recall/):
//   0 gain, 1 shift        a member is expected to score e = gain * s + shift, s the centroid's score
//   2 variance, 3 bias_variance   of members' scores around e: variance * |q|² + bias_variance (metric l2: the first alone)
//   4 rows                 members as published, truncated; 0 for what is no count of rows (negative, NaN, 2^31 or more)
// tail int32 [256]         share of members, times 2^20, that score above a threshold t, by z = (t - e) / spread in steps of
//                          an eighth from -4 on; it falls, and is measured over all clusters together
//
// Metric l2 works with minus the distance in place of minus its square, around which members lie evenly: d(e) and d(t) in place
// of e and t, with d(s) = -√-s, NaN for NaN.
#pragma once

#include <cstdint>

namespace silverlode {

constexpr int64_t kClusterStatRows = 5;
constexpr int64_t kGainStat = 0, kShiftStat = 1, kVarianceStat = 2, kBiasVarianceStat = 3, kRowsStat = 4;
constexpr int64_t kTailEntries = 256;
constexpr float kTailSteps = 8.0f;    // entries per spread
constexpr float kTailOrigin = 32.0f;  // entry of z = 0
constexpr double kTailOne = 1048576.0;

// Clusters are ranked by e + 2 * spread: a wide cluster holds more good rows than its centroid promises.
constexpr float kRankSpreads = 2.0f;

// A cluster whose members all score alike: its spread is not positive, or NaN.
constexpr float kSteepest = 1e30f;
constexpr float kEqualByScore = 1e-6f;
constexpr float kEqualAtZero = 1e-20f;

// The square of the distance that a score of metric l2 stands for; NaN for NaN.
constexpr float squared_distance(float score) { return score > 0.0f ? 0.0f : -score; }

// Where such members are taken to be for a threshold: a little below, since equal scores are no losses.
constexpr float below(float expected) {
  const float size = expected < 0.0f ? -expected : expected;
  const float by_score = size * kEqualByScore;
  const float gap = by_score + kEqualAtZero;
  return expected - gap;
}

// A count from a model file, whatever that holds.
constexpr int32_t stored_rows(float rows) {
  return rows >= 0.0f && rows < 2147483648.0f ? static_cast<int32_t>(rows) : 0;
}

// Entry of the tail table for a threshold; `steepness` is kTailSteps / spread. NaN counts as z = -4: nothing is known.
constexpr int32_t tail_entry(float threshold, float expected, float steepness) {
  const float distance = threshold - expected;
  const float scaled = distance * steepness;
  const float entry = scaled + kTailOrigin;
  const float from_0 = entry > 0.0f ? entry : 0.0f;
  return static_cast<int32_t>(from_0 < 255.0f ? from_0 : 255.0f);
}

// Ranks, nearest first, that a search has looked at after its first round, its second, and so on.
constexpr int64_t next_round_end(int64_t seen, int64_t first_round, int64_t n_clusters) {
  const int64_t end = seen == 0 ? first_round : seen + (seen < 3 ? 1 : seen / 3);
  return end < n_clusters ? end : n_clusters;
}

// What a round knows of a query. Counts of rows are of those eligible for its request, but for `rows`.
struct RecallEvidence {
  int64_t inside = 0;   // Σ eligible * tail over the clusters seen: rows expected above the threshold, times 2^20
  int64_t outside = 0;  // Σ rows * tail over the others, whatever their eligibility
  int64_t wanted = 0;   // k: exactly so many rows above the threshold were found
  int64_t eligible_seen = 0, rows_seen = 0;    // in all clusters seen
  int64_t eligible_round = 0, rows_round = 0;  // in those of this round
  bool filtered = false;                       // the request has a plan
};

// Rows of the true list that are expected outside the clusters seen. Where more were found than expected, more are expected
// outside too: that is how a filter shows that prefers good rows. The eligible share outside is that of all clusters seen or
// that of this round, whichever is larger.
constexpr double expected_misses(const RecallEvidence& evidence) {
  constexpr double kMostSurprise = 8.0;
  const double expected = static_cast<double>(evidence.inside) / kTailOne;
  const double found = static_cast<double>(evidence.wanted);
  double surprise = 1.0;
  if (found > expected) {
    surprise = found > kMostSurprise * expected ? kMostSurprise : found / expected;
  }
  double share = 1.0;
  if (evidence.filtered) {
    const double rows = static_cast<double>(evidence.rows_seen > 0 ? evidence.rows_seen : 1);
    const double round_rows = static_cast<double>(evidence.rows_round > 0 ? evidence.rows_round : 1);
    const double all = static_cast<double>(evidence.eligible_seen) / rows;
    const double latest = static_cast<double>(evidence.eligible_round) / round_rows;
    share = all > latest ? all : latest;
    if (share > 1.0) share = 1.0;
  }
  const double outside = static_cast<double>(evidence.outside) / kTailOne;
  const double surprised = outside * surprise;
  return surprised * share;
}

}  // namespace silverlode
