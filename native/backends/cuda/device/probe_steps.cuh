// The launches that ivf_probe and ivf_search have in common.
#pragma once

#include "backends/cuda/device/probe_walk.cuh"

namespace silverlode::cuda {

// Checks, and all that is known before the first cluster is looked at. `sorted` is which of the exclude lists is sorted.
inline Status prepare_probe(const Runtime& device, const char* op, const IvfProbe::Args& args, const ProbeWork& work,
                            int32_t& sorted) {
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
      launch(device, sl_probe_check, grid_for(device, entries, 256), 256, 0, device.error, op, args));
  SILVERLODE_RETURN_IF_ERROR(check_plans(device, op, args.filter, work.program));
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

// Calls run(DotPolicy) with the one that suits the device and the dimension.
template <class Run>
Status by_dots(const Runtime& device, int64_t dim, const Run& run) {
  constexpr int64_t kMostStaged = 4096;  // dimensions of one tile of queries that fit into shared memory
  const bool tensor_cores = device.limits.compute_capability >= 80;
  if (dim > kMostStaged) {
    return tensor_cores ? run(DotPolicy<true, false, false>{}) : run(DotPolicy<false, false, false>{});
  }
  if (!tensor_cores) return run(DotPolicy<false, true, false>{});
  return dim > kNarrowDim ? run(DotPolicy<true, true, false>{}) : run(DotPolicy<true, true, true>{});
}

// How score_clusters is launched.
template <class Dots>
struct ScoreLaunch {
  ScoreLaunch(const Runtime& device, const IvfProbe::Args& args) {
    constexpr size_t kMostBytes = 32 << 10;
    int64_t tiles = 8;
    while (Dots::kStaged && tiles > 1 && staged_bytes(args.dim, tiles) > kMostBytes) --tiles;
    queries = static_cast<int32_t>(tiles * kTileQueries);
    shared_bytes = Dots::kStaged ? staged_bytes(args.dim, tiles) : sizeof(uint4);
    const int64_t groups = (args.batch * args.heads + queries - 1) / queries;
    grid = grid_for(device, groups * ((args.n_clusters + 127) / 128), 1);
  }

  int32_t queries;  // of a group
  size_t shared_bytes;
  unsigned grid;
};

inline Status evaluate_filter(const Runtime& device, const IvfProbe::Args& args, const ProbeWork& work,
                              int32_t evaluation) {
  return launch(device, sl_probe_filter, grid_for(device, work.max_chunks, kFilterWarps, 5), kFilterThreads, 0,
                device.error, args, work, evaluation);
}

inline Status copy_masks(const Runtime& device, const IvfProbe::Args& args, const ProbeWork& work,
                         const ProbeCounters* counters, const RankKey* excludes, bool owners) {
  return launch(device, sl_probe_copy, grid_for(device, work.max_chunks, kProbeThreads / 32), kProbeThreads, 0,
                device.error, args, work, counters, excludes, owners);
}

}  // namespace silverlode::cuda
