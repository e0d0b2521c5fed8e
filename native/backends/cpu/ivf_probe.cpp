#include "ops/ivf_probe.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>

#include "backends/carve.h"
#include "backends/cpu/probe_state.h"
#include "backends/cpu/select.h"
#include "ops/check.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTileQueries = 8;
constexpr int64_t kTileCentroids = 256;   // dots of a tile stay in the first-level cache
constexpr int64_t kTaskCentroids = 2048;  // a task should outlast waking a thread

ProbeState lay_out(const Context& context, const IvfProbe::Args& args, Carve& carve) {
  const int64_t heads = args.batch * args.heads;
  const int64_t groups = std::min(args.batch, 2 * args.plans.plans);
  ProbeState state = {};
  state.keys = carve.take<RankKey>(heads * args.n_clusters);
  state.scratch = carve.take<RankKey>(runtime(context).pool.threads() * args.n_clusters);
  state.heads = carve.take<ProbeHead>(heads);
  state.requests = carve.take<ProbeRequest>(args.batch);
  state.excluded = carve.take<int32_t>(args.n_exclude);
  state.links = carve.take<int32_t>(args.plans.total_steps);
  state.looked = carve.take<uint8_t>(args.batch * args.n_clusters);
  state.group_of_plan = carve.take<int32_t>(2 * args.plans.plans);
  state.groups = carve.take<ProbeGroup>(groups);
  state.round_of = carve.take<uint8_t>(groups * args.n_clusters);
  state.eligible = carve.take<int32_t>(groups * args.n_clusters);
  state.doubtful = carve.take<int32_t>(groups * args.n_clusters);
  state.filled = carve.take<int32_t>(groups * args.n_clusters);
  return state;
}

size_t workspace(const Context& context, const IvfProbe::Args& args) {
  Carve carve;
  lay_out(context, args, carve);
  return carve.bytes();
}

Status bad_entry(const char* input, int64_t index, int64_t value) {
  return make_error(Code::kInvalidArgument, "ivf_probe: %s[%lld] = %lld is not valid", input,
                    static_cast<long long>(index), static_cast<long long>(value));
}

Status check_data(const IvfProbe::Args& args) {
  const int64_t rows = args.words * 64;
  for (int64_t c = 0; c <= args.n_clusters; ++c) {
    const int64_t begin = args.cluster_begin[c];
    const int64_t least = c == 0 ? 0 : args.cluster_begin[c - 1];
    if (begin < least || begin > rows || begin % 64 != 0) return bad_entry("cluster_begin", c, begin);
  }
  for (int64_t r = 0; r < args.batch; ++r) {
    const int64_t offset = args.exclude_offsets[r];
    const int64_t least = r == 0 ? 0 : args.exclude_offsets[r - 1];
    if (offset < least || offset > args.n_exclude || (r == 0 && offset != 0)) {
      return bad_entry("exclude_offsets", r, offset);
    }
  }
  for (int64_t i = 0; i < args.n_exclude; ++i) {
    if (args.exclude_rows[i] >= rows) return bad_entry("exclude_rows", i, args.exclude_rows[i]);
  }
  for (int64_t r = 0; r < args.batch; ++r) {
    const int64_t plan = args.plan_index[r];
    if (plan < -1 || plan >= args.plans.plans) return bad_entry("plan_index", r, plan);
  }
  return check_filter_plans(args.plans, args.filter);
}

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

class Probe {
 public:
  Probe(Context& context, const IvfProbe::Args& args, ProbeState& state)
      : context_(context), args_(args), state_(state), pool_(runtime(context).pool), simd_(runtime(context).simd) {}

  Status run() {
    const int64_t heads = args_.batch * args_.heads;
    link_filter_plans(args_.plans, state_.links);
    prepare_requests(context_, args_, state_);
    score_clusters();
    std::fill_n(state_.heads, heads, ProbeHead{});
    for (uint8_t round = 1;; ++round) {
      if (context_.cancelled()) return make_error(Code::kAborted, "ivf_probe was cancelled");
      pool_.parallel_for(heads, [&](int64_t head, int32_t worker) { advance(head, round, worker); });
      if (std::all_of(state_.heads, state_.heads + heads, [](const ProbeHead& head) { return head.done; })) break;
      evaluate_round(context_, args_, state_, round);
    }
    pool_.parallel_for(args_.batch, [&](int64_t request, int32_t) { finish_request(request); });
    finish_masks(context_, args_, state_);
    return ok_status();
  }

 private:
  // 0: every cluster with an eligible row.
  int64_t probes(int64_t request) const { return std::clamp<int64_t>(args_.probes[request], 0, args_.n_clusters); }
  RankKey* keys(int64_t head) const { return state_.keys + head * args_.n_clusters; }
  // The one that a head looks at as its i-th.
  int64_t cluster_at(int64_t head, int64_t i) const {
    return probes(head / args_.heads) == 0 ? i : key_ordinal(keys(head)[i]);
  }

  void score_clusters() {
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

  bool any_ranks(int64_t first, int64_t last) const {
    for (int64_t head = first; head < last; ++head) {
      if (probes(head / args_.heads) > 0) return true;
    }
    return false;
  }

  void score_tile(int64_t first, int64_t n_queries, int64_t cluster, int64_t n) {
    alignas(64) int32_t dots[kTileQueries * kTileCentroids];
    const int8_t* queries = args_.queries + first * args_.dim;
    simd_.int8.dot_tile(queries, n_queries, args_.centroids + cluster * args_.dim, n, args_.dim, dots);
    for (int64_t q = 0; q < n_queries; ++q) {
      Scoring scoring = {.query_scale = args_.query_scales[first + q], .l2 = args_.metric == Metric::kL2};
      if (scoring.l2) scoring.query_norm = query_norm(queries + q * args_.dim, scoring.query_scale);
      for (int64_t i = 0; i < n; i += kScoreRows) {
        score_part(dots + q * n + i, cluster + i, std::min(kScoreRows, n - i), scoring, keys(first + q) + cluster + i);
      }
    }
  }

  void score_part(const int32_t* dots, int64_t cluster, int64_t n, const Scoring& scoring, RankKey* out) {
    float scores[kScoreRows];
    const float* bias = args_.centroid_bias == nullptr ? nullptr : args_.centroid_bias + cluster;
    constexpr float kAny = -std::numeric_limits<float>::infinity();
    simd_.int8.score(dots, args_.centroid_scales + cluster, bias, n, scoring, kAny, scores);
    for (int64_t i = 0; i < n; ++i) out[i] = make_key(scores[i], static_cast<uint32_t>(cluster + i));
  }

  float query_norm(const int8_t* query, float scale) const {
    int32_t squares = 0;
    simd_.int8.dot_rows(query, query, 1, args_.dim, &squares);
    return dequantized_norm(squares, scale);
  }

  // Looks at the clusters that were evaluated for a head and asks for more where needed. Without a plan there is nothing
  // to wait for.
  void advance(int64_t h, uint8_t round, int32_t worker) {
    ProbeHead& head = state_.heads[h];
    const int64_t request = h / args_.heads;
    if (probes(request) == 0) {
      const bool is_evaluated = round > 1 || state_.requests[request].group < 0;
      if (is_evaluated && !head.done) take_filled(h, request, head);
      return;
    }
    while (!head.done) {
      if (head.ranked < head.asked) rank_rest(h, request, head, worker);
      look(h, request, head);
      if (head.done) return;
      head.asked = static_cast<int32_t>(std::min(args_.n_clusters, head.seen + next_chunk(request, head)));
      // With all clusters asked for, it will show how few of the rest need a rank: see rank_rest.
      const bool later = head.seen > 0 && head.asked == args_.n_clusters && state_.requests[request].group >= 0;
      if (!later) rank(keys(h), head, worker);
      ask(h, request, head, round);
      if (state_.requests[request].group >= 0) return;
    }
  }

  // Lists every cluster that holds an eligible row: those of the group, where nothing is excluded.
  void take_filled(int64_t h, int64_t request, ProbeHead& head) {
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

  void look(int64_t h, int64_t request, ProbeHead& head) {
    const int64_t nearest = probes(request);
    while (head.seen < head.asked && !head.done) {
      if (head.seen >= std::max<int64_t>(nearest, head.filled)) {
        head.seen = static_cast<int32_t>(args_.n_clusters);
        break;
      }
      const int32_t cluster = static_cast<int32_t>(key_ordinal(keys(h)[head.seen]));
      const int64_t eligible = eligible_in(request, cluster);
      if (head.seen < nearest || eligible > 0) args_.clusters[h * args_.n_clusters + head.listed++] = cluster;
      head.seen += 1;
      head.eligible += eligible;
      head.done = head.seen >= nearest && head.eligible >= args_.min_candidates[request];
    }
    head.done |= head.seen == args_.n_clusters;
  }

  int64_t eligible_in(int64_t request, int64_t cluster) const {
    const int32_t group = state_.requests[request].group;
    const int64_t rows = group < 0 ? live_in(cluster) : state_.eligible[group * args_.n_clusters + cluster];
    return state_.requests[request].excludes() ? rows - excluded_in(args_, state_, request, cluster) : rows;
  }

  int64_t live_in(int64_t cluster) const { return live_in(cluster_words(args_, cluster)); }
  int64_t live_in(const WordRange& words) const {
    return simd_.filter.popcount(args_.live + words.begin, words.end - words.begin);
  }
  int64_t live_rows() const {
    return live_in({args_.cluster_begin[0] / 64, args_.cluster_begin[args_.n_clusters] / 64});
  }

  // The next chunk follows the share of eligible rows found so far. It is at least a quarter of what was seen, so a round
  // number fits into 8 bits for any number of clusters, and at most four times that, so little is evaluated in vain; or it is
  // all that is left, where that is unlikely to hold enough.
  int64_t next_chunk(int64_t request, const ProbeHead& head) const {
    if (head.seen == 0) return probes(request);
    const int64_t missing = args_.min_candidates[request] - head.eligible;
    const int64_t guess = missing * head.seen / std::max<int64_t>(head.eligible, 1) + 1;
    const int64_t left = args_.n_clusters - head.seen;
    if (guess >= left + left / 4) return left;
    const int64_t least = std::max<int64_t>(8, head.seen / 4);
    return std::clamp(guess, least, std::max<int64_t>(least, int64_t{4} * head.seen));
  }

  void ask(int64_t h, int64_t request, ProbeHead& head, uint8_t round) {
    const int32_t group = state_.requests[request].group;
    if (group < 0) return;
    head.asked_words = 0;
    uint8_t* rounds = state_.round_of + group * args_.n_clusters;
    for (int32_t i = head.seen; i < head.asked; ++i) {
      const uint32_t cluster = key_ordinal(keys(h)[i]);
      // Heads of one group may ask for the same cluster at once, all with the same round.
      const std::atomic_ref<uint8_t> asked(rounds[cluster]);
      if (asked.load(std::memory_order_relaxed) != 0) continue;
      asked.store(round, std::memory_order_relaxed);
      const WordRange words = cluster_words(args_, cluster);
      head.asked_words += words.end - words.begin;
    }
  }

  // Makes the first `asked` keys final; all of them where most will be wanted sooner or later, as under strict filters.
  void rank(RankKey* keys, ProbeHead& head, int32_t worker) const {
    if (head.asked <= head.ranked) return;
    const int64_t left = args_.n_clusters - head.ranked;
    const bool most = head.ranked > 0 && 4 * head.asked >= args_.n_clusters;
    const int64_t wanted = most ? left : head.asked - head.ranked;
    if (wanted < left) select_top(keys + head.ranked, left, wanted);
    sort_descending(keys + head.ranked, wanted, state_.scratch + worker * args_.n_clusters);
    head.ranked += static_cast<int32_t>(wanted);
  }

  // Makes the order of all clusters that are left final, which have been evaluated. Where they hold too few eligible rows all
  // of them will be looked at, in any order as far as they are empty; these are then behind the others.
  void rank_rest(int64_t h, int64_t request, ProbeHead& head, int32_t worker) const {
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

  void finish_request(int64_t request) {
    if (args_.heads == 1 && !state_.requests[request].excludes()) return finish_head(request);
    list_clusters(request);
  }

  // The stats of a request with one head that nobody else needs to know the clusters of.
  void finish_head(int64_t request) {
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

  void list_clusters(int64_t request) {
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
        if ((looked[cluster] & kListed) != 0 || (i >= nearest && eligible == 0)) continue;
        looked[cluster] |= kListed;
        stats[0] += 1;
        stats[1] += eligible;
      }
    }
    std::copy(stats, stats + 4, args_.stats + request * 4);
  }

  Context& context_;
  const IvfProbe::Args& args_;
  ProbeState& state_;
  ThreadPool& pool_;
  const SimdTable& simd_;
};

Status run(Context& context, const IvfProbe::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check_data(args));
  Carve carve(workspace.data);
  ProbeState state = lay_out(context, args, carve);
  return Probe(context, args, state).run();
}

}  // namespace

OpEntry<IvfProbe::Args> ivf_probe_entry() { return {.workspace = workspace, .run = run}; }

}  // namespace silverlode::cpu
