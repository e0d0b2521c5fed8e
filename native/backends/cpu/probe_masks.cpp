#include <algorithm>
#include <atomic>

#include "backends/cpu/probe_state.h"
#include "core/bits.h"

namespace silverlode::cpu {

namespace {

// Mask words that are worth a task of their own.
constexpr int64_t kTaskWords = 256;

void sort_excludes(const IvfProbe::Args& args, ProbeState& state, int64_t request) {
  const int32_t begin = args.exclude_offsets[request];
  const bool last = request + 1 == args.batch;
  const int32_t end = last ? static_cast<int32_t>(args.n_exclude) : args.exclude_offsets[request + 1];
  int32_t* rows = state.excluded;
  std::copy(args.exclude_rows + begin, args.exclude_rows + end, rows + begin);
  std::sort(rows + begin, rows + end);
  const int32_t* first_row = std::lower_bound(rows + begin, rows + end, 0);
  state.requests[request].exclude_begin = static_cast<int32_t>(first_row - rows);
  state.requests[request].exclude_end = end;
}

void form_groups(const IvfProbe::Args& args, ProbeState& state) {
  std::fill(state.group_of_plan, state.group_of_plan + 2 * args.plans.plans, -1);
  state.n_groups = 0;
  for (int32_t r = 0; r < args.batch; ++r) {
    ProbeRequest& request = state.requests[r];
    request.group = -1;
    const int32_t plan = args.plan_index[r];
    if (plan < 0) continue;
    const bool exact = args.exact[r] != 0;
    int32_t& group = state.group_of_plan[2 * plan + (exact ? 1 : 0)];
    if (group < 0) {
      group = state.n_groups++;
      const int32_t owner = state.first_shared < 0 ? r : state.first_shared + group;
      state.groups[group] = {
          .plan = plan, .owner = owner, .exact = exact, .everything = false, .waiting = false, .filled = {}};
    }
    request.group = group;
    state.groups[group].everything |= args.probes[r] <= 0 && !state.is_adaptive(r);
    if (state.first_shared >= 0) continue;
    int32_t& owner = state.groups[group].owner;
    if (!request.excludes() && state.requests[owner].excludes()) owner = r;
  }
}

struct Evaluation {
  const IvfProbe::Args& args;
  ProbeState& state;
  const FilterKernels& kernels;

  // Mask words [begin, end), of which `cluster` is the first; counts doubtful rows of clusters asked for in `round`.
  void evaluate(int32_t g, uint8_t round, int64_t cluster, int64_t begin, int64_t end) const {
    const ProbeGroup& group = state.groups[g];
    const FilterPlan plan = filter_plan(args.plans, state.links, group.plan);
    uint64_t* mask = args.mask + group.owner * args.words;
    if (const uint64_t* slice = only_slice(plan, args.filter); slice != nullptr) {
      for (int64_t word = begin; word < end; ++word) mask[word] = slice[word] & args.live[word];
      return;
    }
    FilterWords found;
    for (int64_t word = begin; word < end;) {
      const int64_t n = std::min(end - word, kBlockWords - word % kBlockWords);
      evaluate_words(plan, args.filter, kernels, word, n, found);
      uint64_t any_doubtful = 0;
      for (int64_t i = 0; i < n; ++i) {
        mask[word + i] = found.hi[i] & args.live[word + i];
        any_doubtful |= mask[word + i] & ~found.lo[i];
      }
      if (any_doubtful != 0) resolve(g, round, plan, cluster, word, n, found.lo);
      word += n;
    }
  }

  // Counts the doubtful rows among n mask words, and settles them where the group is exact. `cluster` moves on with the words.
  void resolve(int32_t g, uint8_t round, const FilterPlan& plan, int64_t& cluster, int64_t word, int64_t n,
               const uint64_t* lo) const {
    const ProbeGroup& group = state.groups[g];
    uint64_t* mask = args.mask + group.owner * args.words;
    const int64_t table = g * args.n_clusters;
    for (int64_t i = 0; i < n; ++i, ++word) {
      const uint64_t doubtful = mask[word] & ~lo[i];
      if (doubtful == 0) continue;
      while (args.cluster_begin[cluster + 1] <= word * 64) ++cluster;
      if (state.round_of[table + cluster] == round) add(state.doubtful[table + cluster], count_bits(doubtful));
      if (group.exact) mask[word] = (mask[word] & ~doubtful) | resolve_word(plan, args.filter, kernels, word, doubtful);
    }
  }

  // The part of a group's clusters that lies in words [begin, end); a large cluster is shared by several tasks. Clusters
  // close to each other are evaluated as one, so that small ones fill whole blocks; what lies between them gets the words that
  // it has or would get.
  void evaluate_span(int32_t g, uint8_t round, int64_t begin, int64_t end) const {
    const int32_t* bounds = args.cluster_begin;
    const uint8_t* asked = state.round_of + g * args.n_clusters;
    const int64_t after = std::upper_bound(bounds, bounds + args.n_clusters, begin * 64) - bounds;
    if (state.groups[g].everything && round == 1) {
      evaluate_all(g, after - 1, std::max(begin, int64_t{bounds[0]} / 64),
                   std::min(end, int64_t{bounds[args.n_clusters]} / 64));
      return;
    }
    int64_t run = -1;  // first cluster of what is to be evaluated, up to run_end
    int64_t run_end = -1;
    const auto finish_run = [&] {
      if (run < 0) return;
      evaluate(g, round, run, std::max(begin, int64_t{bounds[run]} / 64), std::min(end, int64_t{bounds[run_end]} / 64));
    };
    for (int64_t c = std::max<int64_t>(after - 1, 0); c < args.n_clusters && bounds[c] < end * 64; ++c) {
      if (asked[c] != round) continue;
      if (run < 0 || bounds[c] - bounds[run_end] > kBlockWords * 64) {
        finish_run();
        run = c;
      }
      run_end = c + 1;
    }
    finish_run();
    for (int64_t c = std::max<int64_t>(after - 1, 0); c < args.n_clusters && bounds[c] < end * 64;) {
      const int64_t first = c++;
      if (asked[first] != round) continue;
      while (c < args.n_clusters && bounds[c] < end * 64 && asked[c] == round) ++c;
      count(g, first, c, begin, end);
    }
  }

  // Words [begin, end) with all clusters in them, of which `cluster` is the first.
  void evaluate_all(int32_t g, int64_t cluster, int64_t begin, int64_t end) const {
    if (begin >= end) return;
    const int32_t* bounds = args.cluster_begin;
    cluster = std::max<int64_t>(cluster, 0);
    evaluate(g, 1, cluster, begin, end);
    count(g, cluster, std::lower_bound(bounds, bounds + args.n_clusters, end * 64) - bounds, begin, end);
  }

  // Counts clusters [first, last), of which the outer ones may lie in part outside words [begin, end).
  void count(int32_t g, int64_t first, int64_t last, int64_t begin, int64_t end) const {
    const auto is_cut = [&](int64_t cluster) {
      const WordRange words = cluster_words(args, cluster);
      return words.begin < begin || words.end > end;
    };
    if (is_cut(first)) count_part(g, first++, begin, end);
    if (first < last && is_cut(last - 1)) count_part(g, --last, begin, end);
    const int64_t table = g * args.n_clusters + first;
    const int32_t* bounds = args.cluster_begin + first;
    const uint64_t* mask = args.mask + state.groups[g].owner * args.words;
    kernels.count_ranges(mask, bounds, last - first, state.eligible + table);
  }

  void count_part(int32_t g, int64_t cluster, int64_t begin, int64_t end) const {
    const WordRange words = cluster_words(args, cluster);
    const int64_t from = std::max(begin, words.begin);
    const int64_t to = std::min(end, words.end);
    if (from >= to) return;
    const int64_t eligible = kernels.popcount(args.mask + state.groups[g].owner * args.words + from, to - from);
    add(state.eligible[g * args.n_clusters + cluster], eligible);
  }

  static void add(int32_t& sum, int64_t count) {
    std::atomic_ref<int32_t>(sum).fetch_add(static_cast<int32_t>(count), std::memory_order_relaxed);
  }
};

// Calls visit(row) for every distinct excluded row of a request from row `begin` to before `end`.
template <class Visit>
void for_each_excluded(const ProbeState& state, const ProbeRequest& request, int64_t begin, int64_t end,
                       Visit&& visit) {
  const int32_t* last = state.excluded + request.exclude_end;
  const int32_t* at =
      std::lower_bound(static_cast<const int32_t*>(state.excluded + request.exclude_begin), last, begin);
  int64_t previous = -1;
  for (; at < last && *at < end; ++at) {
    if (*at != previous) visit(static_cast<int64_t>(*at));
    previous = *at;
  }
}

void copy_cluster(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster) {
  const uint64_t* source = shared_mask(args, state, request);
  const WordRange words = cluster_words(args, cluster);
  std::copy(source + words.begin, source + words.end, args.mask + request * args.words + words.begin);
}

void clear_excluded(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster) {
  uint64_t* mask = args.mask + request * args.words;
  for_each_excluded(state, state.requests[request], args.cluster_begin[cluster], args.cluster_begin[cluster + 1],
                    [&](int64_t row) { mask[row / 64] &= ~(uint64_t{1} << (row % 64)); });
}

}  // namespace

void prepare_requests(Context& context, const IvfProbe::Args& args, ProbeState& state) {
  ThreadPool& pool = runtime(context).pool;
  pool.parallel_for(args.batch, [&](int64_t request, int32_t) { sort_excludes(args, state, request); });
  form_groups(args, state);
  pool.parallel_for(state.n_groups, [&](int64_t group, int32_t) {
    const int64_t table = group * args.n_clusters;
    std::fill_n(state.round_of + table, args.n_clusters, static_cast<uint8_t>(state.groups[group].everything ? 1 : 0));
    std::fill_n(state.eligible + table, args.n_clusters, 0);
    std::fill_n(state.doubtful + table, args.n_clusters, 0);
  });
}

void evaluate_round(Context& context, const IvfProbe::Args& args, ProbeState& state, uint8_t round) {
  int64_t groups = 0;
  int64_t asked_words = 0;
  for (int64_t q = 0; q < args.batch * args.heads; ++q) {
    const int32_t group = state.requests[q / args.heads].group;
    if (state.heads[q].done || group < 0) continue;
    if (!state.groups[group].waiting) {
      groups += 1;
      if (state.groups[group].everything && round == 1) asked_words += args.words;
    }
    state.groups[group].waiting = true;
    asked_words += state.heads[q].asked_words;
  }
  if (groups == 0) return;

  // Every waiting group is cut into as many spans as its work deserves; how many does not change what is computed.
  const int64_t spans = std::clamp<int64_t>(asked_words / kTaskWords / groups, 1, std::max<int64_t>(args.words / 8, 1));
  const int64_t span_words = ((args.words + spans - 1) / spans + kBlockWords - 1) / kBlockWords * kBlockWords;
  const Evaluation evaluation = {args, state, runtime(context).simd.filter};
  runtime(context).pool.parallel_for(state.n_groups * spans, [&](int64_t task, int32_t) {
    const int32_t group = static_cast<int32_t>(task / spans);
    const int64_t begin = task % spans * span_words;
    const int64_t end = std::min(args.words, begin + span_words);
    if (state.groups[group].waiting && begin < end) evaluation.evaluate_span(group, round, begin, end);
  });
  runtime(context).pool.parallel_for(state.n_groups, [&](int64_t group, int32_t) {
    state.groups[group].waiting = false;
    if (!state.groups[group].everything || round > 1) return;
    const int64_t table = group * args.n_clusters;
    const auto eligible_in = [&](int64_t cluster) { return state.eligible[table + cluster]; };
    state.groups[group].filled = list_filled(args.n_clusters, eligible_in, state.filled + table);
  });
}

int64_t excluded_in(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster) {
  if (!state.requests[request].excludes()) return 0;
  const uint64_t* mask = shared_mask(args, state, request);
  int64_t count = 0;
  for_each_excluded(state, state.requests[request], args.cluster_begin[cluster], args.cluster_begin[cluster + 1],
                    [&](int64_t row) { count += static_cast<int64_t>(mask[row / 64] >> (row % 64) & 1); });
  return count;
}

void mask_cluster(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster) {
  copy_cluster(args, state, request, cluster);
  clear_excluded(args, state, request, cluster);
}

void finish_masks(Context& context, const IvfProbe::Args& args, ProbeState& state) {
  // Other requests of a group read its shared row, so rows whose owner has excludes come last.
  const auto owns = [&](int64_t request) {
    const int32_t group = state.requests[request].group;
    return group >= 0 && state.groups[group].owner == request;
  };
  for (const bool owners : {false, true}) {
    runtime(context).pool.parallel_for(args.batch, [&](int64_t request, int32_t) {
      if (owns(request) != owners) return;
      const ProbeRequest& own = state.requests[request];
      args.mask_of[request] = static_cast<int32_t>(request);
      if (!own.excludes()) {
        args.mask_of[request] = own.group < 0 ? -1 : state.groups[own.group].owner;
        return;
      }
      for (int64_t c = 0; c < args.n_clusters; ++c) {
        if ((state.looked[request * args.n_clusters + c] & kListed) == 0) continue;
        if (!owners) copy_cluster(args, state, request, c);
        clear_excluded(args, state, request, c);
      }
    });
  }
}

}  // namespace silverlode::cpu
