// How it goes:
//   check, excludes, requests  the batch is checked; excludes are sorted; requests with the same plan form groups;
//   scores, sort               all clusters in order for every head;
//   walk, filter               heads ask for their nearest clusters, the filter is evaluated on those that nobody of the group
//                              has asked for, heads look and ask for more: four times, the last time for all that are left;
//   finish, copy               stats, and mask rows of requests with excludes.
// Everything that depends on data is decided on the device, so launches without work are part of every run.
#include "ops/ivf_probe.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/probe_walk.cuh"

namespace silverlode::cuda {

namespace {

// A block per request: what its heads looked at together.
__global__ void __launch_bounds__(kProbeThreads)
    sl_probe_finish(const RunError* error, IvfProbe::Args args, ProbeWork work, const RankKey* order) {
  if (stopped(error)) return;
  const int64_t request = blockIdx.x;
  const ProbeRequest own = work.requests[request];
  const int64_t nearest = clamped_probes(args, request);
  const bool owns = own.owner == request;
  int64_t stats[4] = {0, 0, 0, 0};
  for (int64_t head = request * args.heads; head < (request + 1) * args.heads; ++head) {
    const int32_t seen = work.heads[head].seen;
    for (int32_t first = 0; first < seen; first += kProbeThreads) {
      const int32_t i = first + static_cast<int32_t>(threadIdx.x);
      int32_t copied = -1;
      if (i < seen) {
        const RankKey entry = order[head * work.order.capacity + i];
        const auto cluster = static_cast<int32_t>(key_ordinal(entry));
        const auto eligible = static_cast<int64_t>(entry >> 32);
        if (work.claim(work.seen, request, cluster) && own.owner >= 0) {
          stats[2] += work.live[own.owner * args.n_clusters + cluster];
          stats[3] += work.doubtful[own.owner * args.n_clusters + cluster];
        }
        if ((i < nearest || eligible > 0) && work.claim(work.listed, request, cluster)) {
          stats[0] += 1;
          stats[1] += eligible;
          if (own.excludes()) copied = cluster;
        }
      }
      add_chunks(args, work, owns ? &work.counters->n_own : &work.counters->n_copies, owns,
                 static_cast<int32_t>(request), copied);
    }
  }
  for (int i = 0; i < 4; ++i) {
    const int64_t total = block_scan<kProbeThreads>(stats[i]).total;
    if (threadIdx.x == 0) args.stats[request * 4 + i] = total;
  }
  if (threadIdx.x != 0) return;
  args.mask_of[request] = own.excludes() ? static_cast<int32_t>(request) : own.owner;
}

// Mask words of requests with excludes, a warp per chunk: from the owner's row or `live`, without the excluded rows. Owners
// come last, since the others read their rows.
__global__ void __launch_bounds__(kProbeThreads)
    sl_probe_copy(const RunError* error, IvfProbe::Args args, ProbeWork work, const RankKey* excludes, bool owners) {
  if (stopped(error)) return;
  const int32_t n = owners ? work.counters->n_own : work.counters->n_copies;
  const auto warps = static_cast<int32_t>(gridDim.x * (kProbeThreads / 32));
  for (auto i = static_cast<int32_t>(blockIdx.x * (kProbeThreads / 32) + threadIdx.x / 32); i < n; i += warps) {
    const ProbeChunk chunk = work.chunks[owners ? work.max_chunks - 1 - i : i];
    const ProbeRequest own = work.requests[chunk.request];
    const uint64_t* source = own.owner < 0 ? args.live : args.mask + own.owner * args.words;
    uint64_t* mask = args.mask + chunk.request * args.words;
    for (int64_t word = chunk.first_word + threadIdx.x % 32; word < chunk.first_word + chunk.n_words; word += 32) {
      uint64_t bits = source[word];
      for_each_excluded(excludes, own, chunk.request, word * 64, word * 64 + 64,
                        [&](int64_t row) { bits &= ~(uint64_t{1} << (row % 64)); });
      mask[word] = bits;
    }
  }
}

size_t workspace(const Context&, const IvfProbe::Args& args) {
  Carve carve;
  ProbeWork(args, carve);
  return carve.bytes();
}

template <class Dots>
Status score_clusters(const Runtime& device, const IvfProbe::Args& args, const ProbeWork& work) {
  constexpr size_t kStagedBytes = 32 << 10;
  int64_t tiles = 8;
  while (Dots::kStaged && tiles > 1 && staged_bytes(args.dim, tiles) > kStagedBytes) --tiles;
  const int64_t queries = tiles * kTileQueries;
  const int64_t tasks = (args.batch * args.heads + queries - 1) / queries * ((args.n_clusters + 127) / 128);
  return launch(device, sl_probe_scores<Dots>, grid_for(device, tasks, 1), kProbeThreads,
                Dots::kStaged ? staged_bytes(args.dim, tiles) : sizeof(uint4), device.error, args, work,
                static_cast<int32_t>(queries));
}

Status score_by_variant(const Runtime& device, const IvfProbe::Args& args, const ProbeWork& work) {
  constexpr int64_t kMostStaged = 4096;  // dimensions of one tile of queries that fit into shared memory
  const bool tensor_cores = device.limits.compute_capability >= 80;
  if (args.dim > kMostStaged) {
    if (tensor_cores) return score_clusters<DotPolicy<true, false, false>>(device, args, work);
    return score_clusters<DotPolicy<false, false, false>>(device, args, work);
  }
  if (!tensor_cores) return score_clusters<DotPolicy<false, true, false>>(device, args, work);
  if (args.dim > kNarrowDim) return score_clusters<DotPolicy<true, true, false>>(device, args, work);
  return score_clusters<DotPolicy<true, true, true>>(device, args, work);
}

// Checks, and all that is known before the first cluster is looked at. `sorted` is which of the exclude lists is sorted.
Status prepare(const Runtime& device, const IvfProbe::Args& args, const ProbeWork& work, int32_t& sorted) {
  const auto zeroed =
      static_cast<size_t>(static_cast<std::byte*>(work.zeroed_end) - reinterpret_cast<std::byte*>(work.counters));
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(work.counters, 0, zeroed, device.stream), "clearing probe state"));
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(work.first_of_plan, 0x7f, static_cast<size_t>(4 * args.plans.plans) * sizeof(int32_t),
                                device.stream),
                "clearing groups"));
  const int64_t entries = std::max(args.n_clusters + 1, std::max(args.batch, args.n_exclude));
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_probe_check, grid_for(device, entries, 256), 256, 0, device.error, IvfProbe::kName, args));
  SILVERLODE_RETURN_IF_ERROR(check_plans(device, IvfProbe::kName, args.filter, work.program));
  if (args.n_exclude > 0) {
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_probe_excludes, grid_for(device, args.n_exclude, 256), 256, 0, device.error, args, work));
    SILVERLODE_RETURN_IF_ERROR(sort_rows(device, work.excludes, 1, args.n_exclude, sorted));
  }
  const auto blocks = static_cast<unsigned>((args.batch + 127) / 128);
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_probe_requests, blocks, 128, 0, device.error, args, work, work.excludes.items[sorted]));
  return launch(device, sl_probe_owners, blocks, 128, 0, device.error, args, work);
}

Status run(Context& context, const IvfProbe::Args& args, Workspace workspace) {
  if (context.cancelled()) return make_error(Code::kAborted, "ivf_probe was cancelled");
  const int64_t heads = args.batch * args.heads;
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const ProbeWork work(args, carve);
  int32_t sorted = 0;
  SILVERLODE_RETURN_IF_ERROR(prepare(device, args, work, sorted));
  if (args.batch == 0) return ok_status();
  const RankKey* excludes = work.excludes.items[sorted];

  int32_t target = 0;
  if (heads > 0) {
    SILVERLODE_RETURN_IF_ERROR(score_by_variant(device, args, work));
    SILVERLODE_RETURN_IF_ERROR(sort_rows(device, work.order, heads, args.n_clusters, target));
  }
  RankKey* order = work.order.items[target];
  const bool filtered = args.plans.plans > 0;
  const int64_t chunks = args.batch * (args.n_clusters + args.words / kChunkWords + 1);
  for (int32_t evaluation = 0; evaluation <= (filtered ? kEvaluations : 0); ++evaluation) {
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_walk, static_cast<unsigned>(heads), kProbeThreads, 0,
                                      device.error, args, work, order, excludes, evaluation));
    if (!filtered || evaluation == kEvaluations) continue;
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_filter, grid_for(device, chunks, kFilterWarps, 5),
                                      kFilterThreads, 0, device.error, args, work, evaluation));
  }
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_finish, static_cast<unsigned>(args.batch), kProbeThreads, 0,
                                    device.error, args, work, order));
  if (args.n_exclude == 0) return ok_status();
  for (const bool owners : {false, true}) {
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_probe_copy, grid_for(device, chunks, kProbeThreads / 32),
                                      kProbeThreads, 0, device.error, args, work, excludes, owners));
  }
  return ok_status();
}

}  // namespace

OpEntry<IvfProbe::Args> ivf_probe_entry() { return {workspace, run, nullptr, nullptr}; }

}  // namespace silverlode::cuda
