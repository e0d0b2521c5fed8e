// How it goes:
//   check, excludes, requests  the batch is checked; excludes are sorted; requests with the same plan form groups;
//   scores, sort               all clusters in order for every head;
//   walk, filter               heads ask for their nearest clusters, the filter is evaluated on those that nobody of the group
//                              has asked for, heads look and ask for more: four times, the last time for all that are left;
//   finish, copy               stats, and mask rows of requests with excludes.
// Everything that depends on data is decided on the device, so launches without work are part of every run.
#include "ops/ivf_probe.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/probe_steps.cuh"

namespace silverlode::cuda {

namespace {

constexpr int32_t kEvaluations = 4;  // times that clusters can be asked for; the last time all that are left

// Where to look next: the chunk follows the share of eligible rows found so far.
__device__ inline int32_t next_asked(const Walk& walk, const ProbeHead& state, int32_t evaluation) {
  const int64_t n_clusters = walk.args.n_clusters;
  if (state.seen == 0) return static_cast<int32_t>(walk.nearest > 0 ? walk.nearest : n_clusters);
  if (walk.own.owner >= 0 && evaluation == kEvaluations - 1) return static_cast<int32_t>(n_clusters);
  const int64_t missing = walk.args.min_candidates[walk.request] - state.eligible;
  const int64_t guess = missing * state.seen / (state.eligible > 0 ? state.eligible : 1) + 1;
  const int64_t least = state.seen > 8 ? state.seen : 8;
  const int64_t most = 16 * least;
  const int64_t chunk = guess < least ? least : guess < most ? guess : most;
  return static_cast<int32_t>(state.seen + chunk < n_clusters ? state.seen + chunk : n_clusters);
}

// A block per head. Without a plan there is nothing to wait for; with one, the head goes on when what it asked for is there.
// What was looked at has its eligible rows in place of the score in `order`.
__global__ void __launch_bounds__(kProbeThreads, 2)
    sl_probe_walk(const RunError* error, IvfProbe::Args args, ProbeWork work, RankKey* order, const RankKey* excludes,
                  int32_t evaluation) {
  if (stopped(error)) return;
  struct Memory;
  const int64_t head = blockIdx.x;
  const int64_t request = head / args.heads;
  ProbeHead state = work.heads[head];
  if (state.done != 0) return;
  RankKey* own_order = order + head * work.order.capacity;
  const int64_t nearest = clamped_probes(args, request);
  const Walk walk = {args, work,    shared<WalkMemory, Memory>(), own_order, excludes,
                     head, request, work.requests[request],       nearest,   nearest > 0};
  __syncthreads();
  for (;;) {
    walk.look(state, [&](const LookedAt& at) {
      if (at.cluster < 0) return;
      if (at.listed) args.clusters[head * args.n_clusters + at.list_place] = at.cluster;
      own_order[at.place] = uint64_t{static_cast<uint32_t>(at.rows)} << 32 | static_cast<uint32_t>(~at.cluster);
    });
    if (state.done != 0) break;
    state.asked = next_asked(walk, state, evaluation);
    if (walk.own.owner < 0) continue;
    walk.ask(state, evaluation);
    break;
  }
  if (threadIdx.x != 0) return;
  work.heads[head] = state;
  args.counts[head] = state.listed;
}

// A block per request: what its heads looked at together.
__global__ void __launch_bounds__(kProbeThreads)
    sl_probe_finish(const RunError* error, IvfProbe::Args args, ProbeWork work, const RankKey* order) {
  if (stopped(error)) return;
  const int64_t request = blockIdx.x;
  const ProbeRequest own = work.requests[request];
  const int64_t nearest = clamped_probes(args, request);
  const bool owns = own.owner == request;
  ProbeCount count;
  for (int64_t head = request * args.heads; head < (request + 1) * args.heads; ++head) {
    const int32_t seen = work.heads[head].seen;
    for (int32_t first = 0; first < seen; first += kProbeThreads) {
      const int32_t i = first + static_cast<int32_t>(threadIdx.x);
      int32_t copied = -1;
      if (i < seen) {
        const RankKey entry = order[head * work.order.capacity + i];
        const auto cluster = static_cast<int32_t>(key_ordinal(entry));
        const auto eligible = static_cast<int64_t>(entry >> 32);
        const bool listed = i < nearest || eligible > 0;
        const bool first_listed = count.add(args, work, request, own.owner, cluster, eligible, listed);
        if (first_listed && own.excludes()) copied = cluster;
      }
      add_chunks(args, work, owns ? &work.counters->n_own : &work.counters->n_copies, owns,
                 static_cast<int32_t>(request), copied);
    }
  }
  for (int i = 0; i < 4; ++i) {
    const int64_t total = block_scan<kProbeThreads>(count.stats[i]).total;
    if (threadIdx.x == 0) args.stats[request * 4 + i] = total;
  }
  if (threadIdx.x != 0) return;
  args.mask_of[request] = own.excludes() ? static_cast<int32_t>(request) : own.owner;
}

size_t workspace(const Context&, const IvfProbe::Args& args) {
  Carve carve;
  ProbeWork(args, kEvaluations, carve);
  return carve.bytes();
}

template <class Dots>
__global__ void __launch_bounds__(kProbeThreads, 2)
    sl_probe_scores(const RunError* error, IvfProbe::Args args, ProbeWork work, int32_t group_queries) {
  if (stopped(error)) return;
  score_clusters<Dots, false>(args, work.order, group_queries,
                              [](int64_t, int64_t, float score, float) { return score; });
}

Status run(Context& context, const IvfProbe::Args& args, Workspace workspace) {
  if (context.cancelled()) return make_error(Code::kAborted, "ivf_probe was cancelled");
  const int64_t heads = args.batch * args.heads;
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const ProbeWork work(args, kEvaluations, carve);
  int32_t sorted = 0;
  SILVERLODE_RETURN_IF_ERROR(prepare_probe(device, IvfProbe::kName, args, work, sorted));
  if (args.batch == 0) return ok_status();
  const RankKey* excludes = work.excludes.items[sorted];

  int32_t target = 0;
  if (heads > 0) {
    SILVERLODE_RETURN_IF_ERROR(by_dots(device, args.dim, [&](auto dots) {
      const ScoreLaunch<decltype(dots)> scores(device, args);
      return launch(device, sl_probe_scores<decltype(dots)>, scores.grid, kProbeThreads, scores.shared_bytes,
                    device.error, args, work, scores.queries);
    }));
    SILVERLODE_RETURN_IF_ERROR(sort_rows(device, work.order, heads, args.n_clusters, target));
  }
  RankKey* order = work.order.items[target];
  const bool filtered = args.plans.plans > 0;
  for (int32_t evaluation = 0; evaluation <= (filtered ? kEvaluations : 0); ++evaluation) {
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_walk, static_cast<unsigned>(heads), kProbeThreads, 0,
                                      device.error, args, work, order, excludes, evaluation));
    if (!filtered || evaluation == kEvaluations) continue;
    SILVERLODE_RETURN_IF_ERROR(evaluate_filter(device, args, work, evaluation));
  }
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_finish, static_cast<unsigned>(args.batch), kProbeThreads, 0,
                                    device.error, args, work, order));
  if (args.n_exclude == 0) return ok_status();
  for (const bool owners : {false, true}) {
    SILVERLODE_RETURN_IF_ERROR(copy_masks(device, args, work, work.counters, excludes, owners));
  }
  return ok_status();
}

}  // namespace

template <>
OpEntry<IvfProbe::Args> entry<IvfProbe>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
