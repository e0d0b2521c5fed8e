#include "ops/ivf_search.h"

#include <algorithm>

#include "backends/cpu/probe.h"
#include "backends/cpu/scan.h"
#include "ops/check.h"
#include "ops/recall_estimate.h"

namespace silverlode::cpu {

namespace {

// The two halves of a search, and what lies between them.
struct Search {
  Search(Context& context, const IvfSearch::Args& search, Carve& carve)
      : context(context),
        args(search),
        spread(context, args, carve),
        rounds({args.first_round, spread}),
        state(context, args.probe, carve),
        probe(context, args.probe, state, &rounds),
        scan(context, args.scan, carve) {
    const int64_t batch = args.probe.batch;
    const int64_t queries = batch * args.probe.heads;
    // Rows of requests with excludes, then those of groups.
    const int64_t own_rows = args.probe.n_exclude > 0 ? batch : 0;
    const int64_t groups = std::min(batch, 2 * args.probe.plans.plans);
    state.first_shared = static_cast<int32_t>(own_rows);
    state.allowed_misses = args.allowed_misses;
    args.probe.mask = carve.take<uint64_t>((own_rows + groups) * args.probe.words);
    args.probe.mask_of = carve.take<int32_t>(batch);
    args.probe.clusters = carve.take<int32_t>(queries * args.probe.n_clusters);
    args.probe.counts = args.out_counts;
    args.probe.stats = carve.take<int64_t>(4 * batch);
    args.scan.mask = args.probe.mask;
    args.scan.mask_of = args.probe.mask_of;
    args.scan.out_scanned = carve.take<int64_t>(batch);
    listed_from = carve.take<int32_t>(queries);
    listed_to = carve.take<int32_t>(queries);
    misses = carve.take<double>(queries);
  }

  Status run();
  void choose_masks();
  void mask_round();
  Status scan_round();
  void decide(int64_t head);
  void write();

  Context& context;
  IvfSearch::Args args;  // with the outputs of the first half, which lie in the workspace
  ClusterSpread spread;
  SearchRounds rounds;
  ProbeState state;
  Probe probe;
  Scan scan;
  int32_t* listed_from;  // [batch, heads] of the head's list, scanned in this round
  int32_t* listed_to;
  double* misses;  // [batch, heads]
};

Status check(const IvfSearch::Args& args) {
  SILVERLODE_RETURN_IF_ERROR(check_probe(IvfSearch::kName, args.probe));
  const int32_t end = args.scan.cluster_begin[args.scan.n_clusters];
  if (end > args.scan.n_rows) {
    return make_error(Code::kInvalidArgument, "%s: cluster_begin ends at %d, there are %lld rows", IvfSearch::kName,
                      end, static_cast<long long>(args.scan.n_rows));
  }
  for (int64_t i = 0; i < kTailEntries; ++i) {
    if (args.tail[i] < 0 || args.tail[i] > static_cast<int32_t>(kTailOne)) {
      return make_error(Code::kInvalidArgument, "%s: tail[%lld] is %d, outside [0, 2^20]", IvfSearch::kName,
                        static_cast<long long>(i), args.tail[i]);
    }
  }
  return ok_status();
}

Status Search::run() {
  const int64_t queries = args.probe.batch * args.probe.heads;
  std::fill_n(misses, queries, 0.0);
  probe.begin();
  choose_masks();
  scan.begin();
  while (!probe.all_done()) {
    if (context.cancelled()) break;
    probe.next_round();
    mask_round();
    SILVERLODE_RETURN_IF_ERROR(scan_round());
    for (int64_t head = 0; head < queries; ++head) decide(head);
  }
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfSearch::kName);
  probe.finish();
  scan.write(context);
  write();
  return ok_status();
}

void Search::choose_masks() {
  for (int64_t request = 0; request < args.probe.batch; ++request) {
    const ProbeRequest& own = state.requests[request];
    const int32_t shared = own.group < 0 ? -1 : state.groups[own.group].owner;
    args.probe.mask_of[request] = own.excludes() ? static_cast<int32_t>(request) : shared;
  }
}

// Mask words of the clusters that requests with excludes list in this round.
void Search::mask_round() {
  if (args.probe.n_exclude == 0) return;
  runtime(context).pool.parallel_for(args.probe.batch, [&](int64_t request, int32_t) {
    if (!state.requests[request].excludes()) return;
    for (int64_t h = request * args.probe.heads; h < (request + 1) * args.probe.heads; ++h) {
      const int32_t* clusters = args.probe.clusters + h * args.probe.n_clusters;
      const ProbeHead& head = probe.head(h);
      for (int32_t i = head.listed_before; i < head.listed; ++i) {
        mask_cluster(args.probe, state, request, clusters[i]);
      }
    }
  });
}

Status Search::scan_round() {
  for (int64_t h = 0; h < args.probe.batch * args.probe.heads; ++h) {
    listed_from[h] = probe.head(h).listed_before;
    listed_to[h] = probe.head(h).listed;
  }
  return scan.scan(context, {args.probe.clusters, listed_from, listed_to, args.probe.n_clusters});
}

// Whether a head has enough.
void Search::decide(int64_t h) {
  ProbeHead& head = probe.head(h);
  const int64_t request = h / args.probe.heads;
  if (head.done || !probe.is_adaptive(request)) return;
  const int64_t wanted = std::min<int64_t>(args.scan.limits[request], args.scan.k);
  if (wanted <= 0) {
    head.done = true;
    return;
  }
  if (head.eligible < args.probe.min_candidates[request]) return;
  float kth = 0.0f;
  if (wanted > args.scan.n_rows || !scan.has_kth(h, kth)) return;
  const RecallEvidence evidence = {
      .wanted = wanted,
      .eligible_seen = head.eligible,
      .rows_seen = head.rows,
      .eligible_round = head.eligible_round,
      .rows_round = head.rows_round,
      .filtered = state.requests[request].group >= 0,
  };
  const auto allowed = static_cast<double>(args.allowed_misses[request]);
  misses[h] = spread.expect_misses(h, kth, evidence, allowed);
  head.done = misses[h] <= allowed;
}

void Search::write() {
  const int64_t heads = args.probe.heads;
  for (int64_t request = 0; request < args.probe.batch; ++request) {
    const int64_t* probed = args.probe.stats + 4 * request;
    int64_t* stats = std::copy(probed, probed + 4, args.out_stats + 5 * request);
    *stats = args.scan.out_scanned[request];
    double sum = 0.0;
    for (int64_t h = request * heads; h < (request + 1) * heads; ++h) {
      sum += state.heads[h].seen == args.probe.n_clusters ? 0.0 : misses[h];
    }
    args.out_misses[request] = static_cast<float>(sum / static_cast<double>(std::max<int64_t>(heads, 1)));
  }
  if (args.query_offsets == nullptr) return;
  const int64_t k = args.scan.k;
  for (int64_t i = 0; i < args.probe.batch * heads * k; ++i) args.scan.out_scores[i] += args.query_offsets[i / k];
}

size_t workspace(const Context& context, const IvfSearch::Args& args) {
  Carve carve;
  Context measured = context;
  Search(measured, args, carve);
  return carve.bytes();
}

Status run(Context& context, const IvfSearch::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check(args));
  Carve carve(workspace.data);
  return Search(context, args, carve).run();
}

}  // namespace

template <>
OpEntry<IvfSearch::Args> entry<IvfSearch>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
