// How it goes:
//   check, requests, scores, sort  as in ivf_probe.cu, by what the best members of a cluster are expected to score;
//   ask                            every head folds the rows found so far into its list of the best, decides whether they are
//                                  enough, and asks for the clusters of its next round;
//   filter                         is evaluated on those that nobody of the group has asked for;
//   look, copy                     heads list clusters with eligible rows for the scan; mask rows of requests with excludes;
//   rows, alone                    as in ivf_scan.cu, the tiles of this round;
//   ask, sort, write               after the last round, in which every head has seen all clusters or is done.
// All heads have the same rounds, those of fixed probes too, so the rounds follow from sizes alone. Everything that depends on
// data is decided on the device: a head that is done costs a block that returns.
#include "ops/ivf_search.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/probe_steps.cuh"
#include "backends/cuda/device/scan_alone.cuh"
#include "backends/cuda/device/scan_tile.cuh"
#include "backends/cuda/device/search_work.cuh"

namespace silverlode::cuda {

namespace {

__global__ void sl_search_check(RunError* error, const char* op, IvfSearch::Args args) {
  const auto most = static_cast<int32_t>(kTailOne);
  const int32_t share = args.tail[threadIdx.x];
  if (share < 0 || share > most) raise(error, op, Fault::kTail, share, most);
  if (threadIdx.x == 0 && args.scan.cluster_begin[args.scan.n_clusters] > args.scan.n_rows) {
    raise(error, op, Fault::kClusterBounds, args.scan.n_clusters, args.scan.n_rows);
  }
}

__global__ void sl_search_requests(const RunError* error, IvfSearch::Args args, SearchWork work) {
  if (stopped(error)) return;
  const int64_t request = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (request >= args.probe.batch) return;
  const ProbeRequest own = work.probe.requests[request];
  work.mask_of[request] = own.excludes() ? static_cast<int32_t>(work.probe.own_rows + request) : own.owner;
}

template <class Dots>
__global__ void __launch_bounds__(kProbeThreads, 2)
    sl_search_scores(const RunError* error, IvfSearch::Args args, SearchWork work, int32_t group_queries) {
  if (stopped(error)) return;
  score_clusters<Dots, true>(args.probe, work.probe.order, group_queries, ExpectedScore{args, work});
}

// Puts the best of a head's list and buffer into its list; by a whole block. The bound is the last of them, once they are all
// that is wanted.
__device__ inline void keep_best(const ScanWork& scan, const ScanCandidates& source, int64_t head) {
  struct Bins;
  struct Select;
  struct Least;
  auto& bins = shared<uint32_t[kBins], Bins>();
  auto& select = shared<SelectState, Select>();
  auto& least = shared<unsigned long long, Least>();
  ScanQuery& own = scan.queries[head];
  const auto n = static_cast<uint32_t>(source.size(head));
  const uint32_t carried = own.carried;
  const auto wanted = static_cast<uint32_t>(source.wanted(head));
  if (threadIdx.x == 0) least = ~0ull;
  find_cut(select, bins, n, wanted, wanted, [&](uint32_t i) { return source.item(head, i); });
  RankKey* list = scan.lists.items[0] + head * scan.lists.capacity;
  uint32_t kept = compact(select, list, carried, list);
  kept += compact(select, scan.candidates + head * scan.room, n - carried, list + kept);
  unsigned long long lowest = ~0ull;
  for (uint32_t i = threadIdx.x; i < kept; i += kSelectThreads) lowest = list[i] < lowest ? list[i] : lowest;
  for (int step = 16; step > 0; step /= 2) {
    const unsigned long long other = __shfl_xor_sync(0xffffffffu, lowest, step);
    lowest = other < lowest ? other : lowest;
  }
  if (threadIdx.x % 32 == 0) atomicMin(&least, lowest);
  __syncthreads();
  if (threadIdx.x == 0) {
    own = {kept == wanted ? least : kEmptyKey, 0, kept, 0, own.norm};
    scan.lists.states[head].count = kept;
  }
  __syncthreads();
}

// Whether a head whose clusters were not given has enough; by a whole block.
__device__ inline bool has_enough(const IvfSearch::Args& args, const SearchWork& work, int64_t head,
                                  const ProbeHead& state) {
  const int64_t request = head / args.probe.heads;
  const int64_t limit = args.scan.limits[request];
  const int64_t wanted = limit < args.scan.k ? limit : args.scan.k;
  if (wanted <= 0) return true;
  const RankKey bound = work.scan.queries[head].bound;
  if (wanted > args.scan.n_rows || bound == kEmptyKey) return false;
  const SearchHead& seen = work.heads[head];
  RecallEvidence evidence;
  evidence.wanted = wanted;
  evidence.eligible_seen = state.eligible;
  evidence.rows_seen = seen.rows;
  evidence.eligible_round = seen.eligible_round;
  evidence.rows_round = seen.rows_round;
  evidence.filtered = work.probe.requests[request].owner >= 0;
  count_above(args, work, head, key_score(bound), evidence);
  const double misses = expected_misses(evidence);
  if (threadIdx.x == 0) work.heads[head].misses = misses;
  return misses <= static_cast<double>(args.allowed_misses[request]) &&
         state.eligible >= args.probe.min_candidates[request];
}

// A block per head. Round number `round` looks at ranks up to `end`.
__global__ void __launch_bounds__(kProbeThreads, 2)
    sl_search_ask(const RunError* error, IvfSearch::Args args, SearchWork work, ScanCandidates source,
                  const RankKey* order, int32_t round, int32_t end) {
  static_assert(kProbeThreads == kSelectThreads);
  if (stopped(error)) return;
  struct Memory;
  const int64_t head = blockIdx.x;
  const int64_t request = head / args.probe.heads;
  if (work.scan.queries[head].count > 0) keep_best(work.scan, source, head);
  ProbeHead state = work.probe.heads[head];
  if (state.done != 0) return;
  __syncthreads();
  if (state.seen > 0 && is_adaptive(args, request)) state.done = has_enough(args, work, head, state) ? 1 : 0;
  state.asked = end;
  if (threadIdx.x == 0) work.probe.heads[head] = state;
  const ProbeRequest own = work.probe.requests[request];
  if (state.done != 0 || own.owner < 0) return;
  const Walk walk = {args.probe,
                     work.probe,
                     shared<WalkMemory, Memory>(),
                     order + head * work.probe.order.capacity,
                     nullptr,
                     head,
                     request,
                     own,
                     0,
                     true};
  walk.ask(state, round);
}

// What a head's block does with the clusters that it looks at.
struct SearchVisit {
  const IvfSearch::Args& args;
  const SearchWork& work;
  int64_t head, request;
  ProbeRequest own;
  int32_t round;
  bool scanned;
  ProbeCount count;
  int64_t rows = 0;

  __device__ void operator()(const LookedAt& at) {
    int32_t copied = -1;
    int32_t tiled = -1;
    if (at.cluster >= 0) {
      work.rows[head * args.probe.n_clusters + at.cluster] = ~at.rows;
      rows += stored_rows(args.cluster_stats[kRowsStat * args.probe.n_clusters + at.cluster]);
      const bool first = count.add(args.probe, work.probe, request, own.owner, at.cluster, at.rows, at.listed);
      if (first && own.excludes()) copied = at.cluster;
      if (at.listed && scanned && join(at.cluster)) tiled = at.cluster;
    }
    if (own.excludes()) {
      add_chunks(args.probe, work.probe, &work.probe.counters[round].n_copies, false, static_cast<int32_t>(request),
                 copied);
    }
    cut_clusters(
        args.probe, &work.scan.counters->round_end[0], tiled, kTileWords,
        [&](int32_t slot, int32_t cluster, int32_t word, int32_t n) { work.scan.tiles[slot] = {cluster, word, n}; });
  }

  // The head wants the rows of the cluster. Whether it is the first one in this round.
  __device__ bool join(int32_t cluster) const {
    const ScanWork& scan = work.scan;
    atomicOr(&scan.members[int64_t{cluster} * scan.member_words + head / 32], 1u << (head % 32));
    return atomicExch(&scan.claimed[cluster], 1u) == 0;
  }
};

// A block per head.
__global__ void __launch_bounds__(kProbeThreads, 2)
    sl_search_look(const RunError* error, IvfSearch::Args args, SearchWork work, const RankKey* order,
                   const RankKey* excludes, int32_t round) {
  if (stopped(error)) return;
  struct Memory;
  const int64_t head = blockIdx.x;
  const int64_t request = head / args.probe.heads;
  ProbeHead state = work.probe.heads[head];
  if (state.done != 0) return;
  const ProbeRequest own = work.probe.requests[request];
  const Walk walk = {args.probe,
                     work.probe,
                     shared<WalkMemory, Memory>(),
                     order + head * work.probe.order.capacity,
                     excludes,
                     head,
                     request,
                     own,
                     is_adaptive(args, request) ? 0 : clamped_probes(args.probe, request),
                     true};
  const bool scanned = args.scan.limits[request] > 0 && work.scan.k > 0;
  SearchVisit visit = {args, work, head, request, own, round, scanned, {}};
  const int64_t eligible_before = state.eligible;
  __syncthreads();
  walk.look(state, visit);
  const int64_t rows = block_scan<kProbeThreads>(visit.rows).total;
  for (int i = 0; i < 4; ++i) {
    const int64_t total = block_scan<kProbeThreads>(visit.count.stats[i]).total;
    if (threadIdx.x == 0) atomicAdd(&work.stats[request * 4 + i], static_cast<unsigned long long>(total));
  }
  if (threadIdx.x != 0) return;
  SearchHead& seen = work.heads[head];
  seen.rows += rows;
  seen.rows_round = rows;
  seen.eligible_round = state.eligible - eligible_before;
  work.probe.heads[head] = state;
  args.out_counts[head] = state.listed;
}

// Offsets of queries, stats and misses.
__global__ void sl_search_finish(const RunError* error, IvfSearch::Args args, SearchWork work) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t heads = args.probe.heads;
  const int64_t n_scores = args.query_offsets == nullptr ? 0 : args.probe.batch * heads * args.scan.k;
  for (int64_t i = first; i < n_scores; i += stride) args.scan.out_scores[i] += args.query_offsets[i / args.scan.k];
  for (int64_t request = first; request < args.probe.batch; request += stride) {
    for (int i = 0; i < 4; ++i) args.out_stats[request * 5 + i] = static_cast<int64_t>(work.stats[request * 4 + i]);
    args.out_stats[request * 5 + 4] = static_cast<int64_t>(work.scan.scanned[request]);
    double sum = 0.0;
    for (int64_t head = request * heads; head < (request + 1) * heads; ++head) {
      sum += work.probe.heads[head].seen == args.probe.n_clusters ? 0.0 : work.heads[head].misses;
    }
    args.out_misses[request] = static_cast<float>(sum / static_cast<double>(heads > 0 ? heads : 1));
  }
}

int32_t rounds_of(const IvfSearch::Args& args) {
  int32_t rounds = 0;
  for (int64_t seen = 0; seen < args.probe.n_clusters; ++rounds) {
    seen = next_round_end(seen, args.first_round, args.probe.n_clusters);
  }
  return rounds;
}

SearchWork lay_out(const Context& context, const IvfSearch::Args& args, Carve& carve) {
  return SearchWork(args, rounds_of(args), runtime(context).limits.memory_bytes, carve);
}

size_t workspace(const Context& context, const IvfSearch::Args& args) {
  Carve carve;
  lay_out(context, args, carve);
  return carve.bytes();
}

// Checks, and all that is known before the first round.
Status prepare(const Runtime& device, const IvfSearch::Args& args, const SearchWork& work, int32_t& excludes,
               int32_t& order) {
  const auto zeroed =
      static_cast<size_t>(static_cast<std::byte*>(work.zeroed_end) - reinterpret_cast<std::byte*>(work.heads));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(work.heads, 0, zeroed, device.stream), "clearing search state"));
  SILVERLODE_RETURN_IF_ERROR(work.scan.clear(device, work.scan.queries));
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(work.scan.lists.states, 0,
                                static_cast<size_t>(work.scan.n_queries) * sizeof(SelectState), device.stream),
                "clearing lists"));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_search_check, 1, kTailEntries, 0, device.error, IvfSearch::kName, args));
  SILVERLODE_RETURN_IF_ERROR(prepare_probe(device, IvfSearch::kName, args.probe, work.probe, excludes));
  const int64_t heads = args.probe.batch * args.probe.heads;
  if (heads == 0) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_search_requests, static_cast<unsigned>((args.probe.batch + 127) / 128),
                                    128, 0, device.error, args, work));
  SILVERLODE_RETURN_IF_ERROR(by_dots(device, args.probe.dim, [&](auto dots) {
    const ScoreLaunch<decltype(dots)> scores(device, args.probe);
    return launch(device, sl_search_scores<decltype(dots)>, scores.grid, kProbeThreads, scores.shared_bytes,
                  device.error, args, work, scores.queries);
  }));
  return sort_rows(device, work.probe.order, heads, args.probe.n_clusters, order);
}

struct Search {
  const Runtime& device;
  const IvfSearch::Args& args;
  const SearchWork& work;
  const RankKey* excludes;  // sorted, as are the next
  const RankKey* order;
  unsigned heads;

  Status ask(int32_t round, int64_t end) const {
    return launch(device, sl_search_ask, heads, kProbeThreads, 0, device.error, args, work,
                  candidates_of(args.scan, work.scan, 0), order, round, static_cast<int32_t>(end));
  }

  Status look_and_scan(int32_t round) const {
    SILVERLODE_RETURN_IF_ERROR(work.scan.clear(device, work.scan.counters));
    if (args.probe.plans.plans > 0) {
      SILVERLODE_RETURN_IF_ERROR(evaluate_filter(device, args.probe, work.probe, round));
    }
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_search_look, heads, kProbeThreads, 0, device.error, args, work, order, excludes, round));
    if (args.probe.n_exclude > 0) {
      SILVERLODE_RETURN_IF_ERROR(
          copy_masks(device, args.probe, work.probe, work.probe.counters + round, excludes, false));
    }
    SILVERLODE_RETURN_IF_ERROR(scan_round(device, args.scan, work.scan, 0));
    // A buffer with room for every row cannot overflow.
    return work.scan.room >= args.scan.n_rows ? ok_status() : scan_alone(device, args.scan, work.scan, false);
  }
};

Status run(Context& context, const IvfSearch::Args& bound, Workspace workspace) {
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfSearch::kName);
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const SearchWork work = lay_out(context, bound, carve);
  IvfSearch::Args args = bound;  // with what lies in the workspace
  args.probe.mask = work.mask;
  args.scan.mask = work.mask;
  args.scan.mask_of = work.mask_of;
  args.scan.out_scanned = work.scanned;
  int32_t excludes = 0;
  int32_t order = 0;
  SILVERLODE_RETURN_IF_ERROR(prepare(device, args, work, excludes, order));
  const int64_t heads = args.probe.batch * args.probe.heads;
  if (heads > 0) {
    const Search search = {device,
                           args,
                           work,
                           work.probe.excludes.items[excludes],
                           work.probe.order.items[order],
                           static_cast<unsigned>(heads)};
    int64_t seen = 0;
    for (int32_t round = 0; round < work.rounds; ++round) {
      seen = next_round_end(seen, args.first_round, args.probe.n_clusters);
      SILVERLODE_RETURN_IF_ERROR(search.ask(round, seen));
      SILVERLODE_RETURN_IF_ERROR(search.look_and_scan(round));
    }
    SILVERLODE_RETURN_IF_ERROR(search.ask(work.rounds, seen));
    SILVERLODE_RETURN_IF_ERROR(write_best(device, args.scan, work.scan, work.scan.lists.capacity, 0));
  }
  const int64_t entries = std::max(args.probe.batch, heads * args.scan.k);
  return launch(device, sl_search_finish, grid_for(device, entries, 256, 16), 256, 0, device.error, args, work);
}

}  // namespace

template <>
OpEntry<IvfSearch::Args> entry<IvfSearch>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
