#include "backends/cpu/probe.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>

#include "backends/cpu/select.h"
#include "ops/check.h"
#include "ops/recall_estimate.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTileQueries = 8;
constexpr int64_t kTileCentroids = 256;   // dots of a tile stay in the first-level cache
constexpr int64_t kTaskCentroids = 2048;  // a task should outlast waking a thread

// The keys of a head that have no rank yet, once their clusters were evaluated.
struct RestOfKeys {
  RankKey* keys;
  int64_t n;
  int64_t filled = 0;    // clusters with eligible rows
  int64_t eligible = 0;  // rows in them

  template <class EligibleIn>
  void move_filled_to_front(const EligibleIn& eligible_in) {
    for (int64_t i = 0; i < n; ++i) {
      const RankKey key = keys[i];
      const int64_t found = eligible_in(key_ordinal(key));
      keys[i] = keys[filled];
      keys[filled] = key;
      filled += found > 0;
      eligible += found;
    }
  }
};

}  // namespace

Probe::Probe(Context& context, const IvfProbe::Args& args, ProbeState& state, const SearchRounds* rounds)
    : context_(context),
      args_(args),
      state_(state),
      rounds_(rounds),
      pool_(runtime(context).pool),
      simd_(runtime(context).simd) {}

void Probe::begin() {
  link_filter_plans(args_.plans, state_.links);
  prepare_requests(context_, args_, state_);
  score_clusters();
  std::fill_n(state_.heads, args_.batch * args_.heads, ProbeHead{});
}

bool Probe::all_done() const {
  return std::all_of(state_.heads, state_.heads + args_.batch * args_.heads,
                     [](const ProbeHead& head) { return head.done; });
}

void Probe::next_round() {
  ++round_;
  const int64_t heads = args_.batch * args_.heads;
  pool_.parallel_for(heads, [&](int64_t head, int32_t worker) { ask_next(head, worker); });
  evaluate_round(context_, args_, state_, round_);
  pool_.parallel_for(heads, [&](int64_t head, int32_t worker) { look(head, worker); });
}

void Probe::finish() {
  pool_.parallel_for(args_.batch, [&](int64_t request, int32_t) { finish_request(request); });
}

bool Probe::is_adaptive(int64_t request) const { return state_.is_adaptive(request); }

int64_t Probe::probes(int64_t request) const {
  if (state_.is_adaptive(request)) return 1;
  return std::clamp<int64_t>(args_.probes[request], 0, args_.n_clusters);
}

// The one that a head looks at as its i-th.
int64_t Probe::cluster_at(int64_t head, int64_t i) const {
  return probes(head / args_.heads) == 0 ? i : key_ordinal(keys(head)[i]);
}

void Probe::score_clusters() {
  const int64_t heads = args_.batch * args_.heads;
  const int64_t tiles = (heads + kTileQueries - 1) / kTileQueries;
  const int64_t parts = (args_.n_clusters + kTaskCentroids - 1) / kTaskCentroids;
  pool_.parallel_for(tiles * parts, [&](int64_t task, int32_t) {
    const int64_t first = task % tiles * kTileQueries;
    const int64_t last = std::min(heads, first + kTileQueries);
    const int64_t begin = task / tiles * kTaskCentroids;
    const int64_t end = std::min(args_.n_clusters, begin + kTaskCentroids);
    if (!any_ranks(first, last)) return;
    for (int64_t c = begin; c < end; c += kTileCentroids) {
      score_tile(first, last - first, c, std::min(kTileCentroids, end - c));
    }
  });
}

bool Probe::any_ranks(int64_t first, int64_t last) const {
  for (int64_t head = first; head < last; ++head) {
    if (probes(head / args_.heads) > 0) return true;
  }
  return false;
}

void Probe::score_tile(int64_t first, int64_t n_queries, int64_t cluster, int64_t n) {
  alignas(64) int32_t dots[kTileQueries * kTileCentroids];
  const int8_t* queries = args_.queries + first * args_.dim;
  simd_.int8.dot_tile(queries, n_queries, args_.centroids + cluster * args_.dim, n, args_.dim, dots);
  for (int64_t q = 0; q < n_queries; ++q) {
    Scoring scoring = {.query_scale = args_.query_scales[first + q], .l2 = args_.metric == Metric::kL2};
    if (scoring.l2 || rounds_ != nullptr) {
      scoring.query_norm = query_norm(queries + q * args_.dim, scoring.query_scale);
    }
    for (int64_t i = 0; i < n; i += kScoreRows) {
      score_part(dots + q * n + i, first + q, cluster + i, std::min(kScoreRows, n - i), scoring);
    }
  }
}

void Probe::score_part(const int32_t* dots, int64_t head, int64_t cluster, int64_t n, const Scoring& scoring) {
  float scores[kScoreRows];
  const float* bias = args_.centroid_bias == nullptr ? nullptr : args_.centroid_bias + cluster;
  constexpr float kAny = -std::numeric_limits<float>::infinity();
  simd_.int8.score(dots, args_.centroid_scales + cluster, bias, n, scoring, kAny, scores);
  if (rounds_ != nullptr) rounds_->spread.expect(head, cluster, n, scores, scoring.query_norm, scores);
  RankKey* ranked = keys(head) + cluster;
  for (int64_t i = 0; i < n; ++i) ranked[i] = make_key(scores[i], static_cast<uint32_t>(cluster + i));
}

float Probe::query_norm(const int8_t* query, float scale) const {
  int32_t squares = 0;
  simd_.int8.dot_rows(query, query, 1, args_.dim, &squares);
  return dequantized_norm(squares, scale);
}

// The next clusters of a head, in order of rank as far as it matters.
void Probe::ask_next(int64_t h, int32_t worker) {
  ProbeHead& head = state_.heads[h];
  head.listed_before = head.listed;
  const int64_t request = h / args_.heads;
  if (head.done || probes(request) == 0) return;
  const int64_t end = is_adaptive(request) ? next_round_end(head.seen, rounds_->first_round, args_.n_clusters)
                                           : head.seen + next_chunk(request, head);
  head.asked = static_cast<int32_t>(std::min(args_.n_clusters, end));
  // With all clusters asked for, it will show how few of the rest need a rank: see rank_rest.
  const bool all = head.asked == args_.n_clusters && head.ranked == head.seen;
  const bool later = head.seen > 0 && all && state_.requests[request].group >= 0;
  if (!later) rank(keys(h), head, worker);
  ask(h, request, head);
}

// Lists every cluster that holds an eligible row: those of the group, where nothing is excluded.
void Probe::take_filled(int64_t h, int64_t request, ProbeHead& head) {
  int32_t* clusters = args_.clusters + h * args_.n_clusters;
  const int32_t group = state_.requests[request].group;
  FilledClusters filled;
  if (group >= 0 && !state_.requests[request].excludes()) {
    filled = state_.groups[group].filled;
    std::copy_n(state_.filled + group * args_.n_clusters, filled.listed, clusters);
  } else {
    filled = list_filled(args_.n_clusters, [&](int64_t c) { return eligible_in(request, c); }, clusters);
  }
  head.listed = filled.listed;
  head.eligible = filled.eligible;
  head.seen = static_cast<int32_t>(args_.n_clusters);
  head.done = true;
}

void Probe::look(int64_t h, int32_t worker) {
  ProbeHead& head = state_.heads[h];
  if (head.done) return;
  const int64_t request = h / args_.heads;
  const int64_t nearest = probes(request);
  if (nearest == 0) return take_filled(h, request, head);
  if (head.ranked < head.asked) rank_rest(h, request, head, worker);
  const bool adaptive = is_adaptive(request);
  const int64_t eligible_before = head.eligible;
  head.rows_round = 0;
  while (head.seen < head.asked && !head.done) {
    if (head.seen >= std::max<int64_t>(nearest, head.filled)) {
      head.seen = static_cast<int32_t>(args_.n_clusters);
      break;
    }
    const int32_t cluster = static_cast<int32_t>(key_ordinal(keys(h)[head.seen]));
    const int64_t eligible = eligible_in(request, cluster);
    const bool is_listed = eligible > 0 || (!adaptive && head.seen < nearest);
    if (is_listed) args_.clusters[h * args_.n_clusters + head.listed++] = cluster;
    head.seen += 1;
    head.eligible += eligible;
    if (adaptive) {
      rounds_->spread.see(h, cluster, eligible);
      head.rows_round += rounds_->spread.rows_in(cluster);
    } else {
      head.done = head.seen >= nearest && head.eligible >= args_.min_candidates[request];
    }
  }
  head.rows += head.rows_round;
  head.eligible_round = head.eligible - eligible_before;
  head.done |= head.seen == args_.n_clusters;
}

int64_t Probe::eligible_in(int64_t request, int64_t cluster) const {
  const int32_t group = state_.requests[request].group;
  const int64_t rows = group < 0 ? live_in(cluster) : state_.eligible[group * args_.n_clusters + cluster];
  return state_.requests[request].excludes() ? rows - excluded_in(args_, state_, request, cluster) : rows;
}

int64_t Probe::live_in(int64_t cluster) const { return live_in(cluster_words(args_, cluster)); }

int64_t Probe::live_in(const WordRange& words) const {
  return simd_.filter.popcount(args_.live + words.begin, words.end - words.begin);
}
int64_t Probe::live_rows() const {
  return live_in({args_.cluster_begin[0] / 64, args_.cluster_begin[args_.n_clusters] / 64});
}

// The next chunk follows the share of eligible rows found so far. It is at least a quarter of what was seen, so a round
// number fits into 8 bits for any number of clusters, and at most four times that, so little is evaluated in vain; or it is
// all that is left, where that is unlikely to hold enough.
int64_t Probe::next_chunk(int64_t request, const ProbeHead& head) const {
  if (head.seen == 0) return probes(request);
  const int64_t missing = args_.min_candidates[request] - head.eligible;
  const int64_t guess = missing * head.seen / std::max<int64_t>(head.eligible, 1) + 1;
  const int64_t left = args_.n_clusters - head.seen;
  if (guess >= left + left / 4) return left;
  const int64_t least = std::max<int64_t>(8, head.seen / 4);
  return std::clamp(guess, least, std::max<int64_t>(least, int64_t{4} * head.seen));
}

void Probe::ask(int64_t h, int64_t request, ProbeHead& head) {
  const int32_t group = state_.requests[request].group;
  if (group < 0) return;
  head.asked_words = 0;
  uint8_t* rounds = state_.round_of + group * args_.n_clusters;
  for (int32_t i = head.seen; i < head.asked; ++i) {
    const uint32_t cluster = key_ordinal(keys(h)[i]);
    // Heads of one group may ask for the same cluster at once, all with the same round.
    const std::atomic_ref<uint8_t> asked(rounds[cluster]);
    if (asked.load(std::memory_order_relaxed) != 0) continue;
    asked.store(round_, std::memory_order_relaxed);
    const WordRange words = cluster_words(args_, cluster);
    head.asked_words += words.end - words.begin;
  }
}

// Makes the first `asked` keys final, and some more so that it has to be done but a few times: each looks at all the others.
// All of them where most will be wanted sooner or later, as under strict filters.
void Probe::rank(RankKey* keys, ProbeHead& head, int32_t worker) const {
  if (head.asked <= head.ranked) return;
  const int64_t left = args_.n_clusters - head.ranked;
  const bool most = head.ranked > 0 && 4 * head.asked >= args_.n_clusters;
  const int64_t wanted = most ? left : std::min<int64_t>(left, std::max(head.asked - head.ranked, 3 * head.ranked));
  if (wanted < left) select_top(keys + head.ranked, left, wanted);
  sort_descending(keys + head.ranked, wanted, state_.scratch + worker * args_.n_clusters);
  head.ranked += static_cast<int32_t>(wanted);
}

// Makes the order of all clusters that are left final, which have been evaluated. Where they hold too few eligible rows all
// of them will be looked at, in any order as far as they are empty; these are then behind the others.
void Probe::rank_rest(int64_t h, int64_t request, ProbeHead& head, int32_t worker) const {
  const int32_t* counts = state_.eligible + state_.requests[request].group * args_.n_clusters;
  RestOfKeys rest = {keys(h) + head.ranked, args_.n_clusters - head.ranked};
  if (state_.requests[request].excludes()) {
    rest.move_filled_to_front([&](int64_t cluster) { return eligible_in(request, cluster); });
  } else {
    rest.move_filled_to_front([&](int64_t cluster) { return int64_t{counts[cluster]}; });
  }
  const bool is_enough = head.eligible + rest.eligible >= args_.min_candidates[request];
  sort_descending(rest.keys, is_enough ? rest.n : rest.filled, state_.scratch + worker * args_.n_clusters);
  if (!is_enough) head.filled = static_cast<int32_t>(head.ranked + rest.filled);
  head.ranked = static_cast<int32_t>(args_.n_clusters);
}

void Probe::finish_request(int64_t request) {
  if (args_.heads == 1 && !state_.requests[request].excludes()) return finish_head(request);
  list_clusters(request);
}

// The stats of a request with one head that nobody else needs to know the clusters of.
void Probe::finish_head(int64_t request) {
  const ProbeHead& head = state_.heads[request];
  const int32_t group = state_.requests[request].group;
  int64_t filtered = 0;
  int64_t doubtful = 0;
  if (group >= 0) {
    const int32_t* doubtful_at = state_.doubtful + group * args_.n_clusters;
    if (head.seen == args_.n_clusters) {  // in their order in memory, which is fast
      filtered = live_rows();
      doubtful = std::accumulate(doubtful_at, doubtful_at + args_.n_clusters, int64_t{0});
    } else {
      for (int64_t i = 0; i < head.seen; ++i) {
        const int64_t cluster = key_ordinal(keys(request)[i]);
        filtered += live_in(cluster);
        doubtful += doubtful_at[cluster];
      }
    }
  }
  args_.counts[request] = head.listed;
  const int64_t stats[4] = {head.listed, head.eligible, filtered, doubtful};
  std::copy(stats, stats + 4, args_.stats + request * 4);
}

void Probe::list_clusters(int64_t request) {
  uint8_t* looked = state_.looked + request * args_.n_clusters;
  std::fill_n(looked, args_.n_clusters, uint8_t{0});
  const int32_t group = state_.requests[request].group;
  const int64_t nearest = probes(request);
  int64_t stats[4] = {0, 0, 0, 0};
  for (int64_t h = request * args_.heads; h < (request + 1) * args_.heads; ++h) {
    const ProbeHead& head = state_.heads[h];
    args_.counts[h] = head.listed;
    for (int64_t i = 0; i < head.seen; ++i) {
      const int64_t cluster = cluster_at(h, i);
      const int64_t eligible = eligible_in(request, cluster);
      if (looked[cluster] == 0 && group >= 0) {
        stats[2] += live_in(cluster);
        stats[3] += state_.doubtful[group * args_.n_clusters + cluster];
      }
      looked[cluster] |= kSeen;
      if ((looked[cluster] & kListed) != 0 || (eligible == 0 && (i >= nearest || is_adaptive(request)))) continue;
      looked[cluster] |= kListed;
      stats[0] += 1;
      stats[1] += eligible;
    }
  }
  std::copy(stats, stats + 4, args_.stats + request * 4);
}

}  // namespace silverlode::cpu
