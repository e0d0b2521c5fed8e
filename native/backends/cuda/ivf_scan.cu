// How it goes (gpu-side of "probe, then filter, then scan"):
//   join, order, tiles  the union of probed clusters becomes a list of tiles, each with the queries that want it;
//   rows                tiles are scanned in one to six rounds. Without a bound all eligible rows of a query are candidates;
//                       after a round the best k so far give a bound that later rows must reach;
//   alone               queries whose buffer overflowed are scanned again, which is slow and always right;
//   select, sort        the best k of the candidates.
// Everything that depends on data is decided on the device. Workspace: kMemoryShare of the device's memory for candidate
// buffers (more only for 32 k queries over that), two lists of k and a bit per cluster and query.
#include "ops/ivf_scan.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/scan_alone.cuh"
#include "backends/cuda/device/scan_tile.cuh"

namespace silverlode::cuda {

namespace {

constexpr unsigned kListThreads = 256;

// A block per query: checks its lists and joins the clusters in them. Nothing is written but the workspace.
__global__ void __launch_bounds__(kListThreads)
    sl_scan_join(RunError* error, const char* op, IvfScan::Args args, ScanWork work) {
  for (int64_t query = blockIdx.x; query < work.n_queries; query += gridDim.x) {
    const int64_t request = query / args.heads;
    const int32_t count = args.counts[query];
    const bool valid = count >= 0 && count <= args.n_clusters;
    if (threadIdx.x == 0) {
      const int32_t mask_row = args.mask_of[request];
      if (!valid) raise(error, op, Fault::kCount, count, args.n_clusters);
      if (mask_row < -1 || mask_row >= args.batch) raise(error, op, Fault::kIndex, mask_row, args.batch);
    }
    if (threadIdx.x < 32 && args.metric == Metric::kL2) {
      const float norm = warp_query_norm(args.queries + query * args.dim, args.dim, args.query_scales[query]);
      if (threadIdx.x == 0) work.queries[query].norm = norm;
    }
    if (!valid || args.limits[request] <= 0 || work.k <= 0) continue;
    unsigned long long rows = 0;
    for (int32_t rank = static_cast<int32_t>(threadIdx.x); rank < count; rank += kListThreads) {
      const int32_t cluster = args.clusters[query * args.n_clusters + rank];
      if (cluster < 0 || cluster >= args.n_clusters) {
        raise(error, op, Fault::kCluster, cluster, args.n_clusters);
        continue;
      }
      const int32_t begin = args.cluster_begin[cluster];
      const int32_t end = args.cluster_begin[cluster + 1];
      if (begin < 0 || begin > end || end > args.n_rows || begin % 64 != 0 || end % 64 != 0) {
        raise(error, op, Fault::kClusterBounds, cluster, args.n_rows);
        continue;
      }
      rows += static_cast<unsigned long long>(end - begin);
      atomicOr(&work.members[int64_t{cluster} * work.member_words + query / 32], 1u << (query % 32));
      if (atomicExch(&work.claimed[cluster], 1u) == 0) {
        work.cluster_of_slot[atomicAdd(&work.counters->n_slots, 1)] = cluster;
      }
    }
    if (rows > 0) atomicAdd(&work.counters->listed_rows, rows);
  }
}

// One block: where the tiles of every slot begin, and which tiles belong to which round.
__global__ void __launch_bounds__(kListThreads)
    sl_scan_order(const RunError* error, IvfScan::Args args, ScanWork work) {
  if (stopped(error)) return;
  const int32_t n_slots = work.counters->n_slots;
  int32_t begin = 0;
  for (int32_t first = 0; first < n_slots; first += kListThreads) {
    const int32_t slot = first + static_cast<int32_t>(threadIdx.x);
    int32_t tiles = 0;
    if (slot < n_slots) {
      const int32_t cluster = work.cluster_of_slot[slot];
      const int32_t words = (args.cluster_begin[cluster + 1] - args.cluster_begin[cluster]) / 64;
      tiles = (words + kTileWords - 1) / kTileWords;
    }
    const ScanResult<int32_t> sum = block_scan<kListThreads>(tiles);
    if (slot < n_slots) work.tile_begin[slot] = begin + sum.before;
    begin += sum.total;
  }
  if (threadIdx.x != 0) return;
  ScanCounters& counters = *work.counters;
  counters.n_tiles = begin;
  // No query can see more rows in the first round than fit into its buffer; how many it sees on average depends on how far
  // queries share clusters.
  const double union_rows = static_cast<double>(begin) * 64 * kTileWords;
  const double spread = union_rows * static_cast<double>(work.n_queries) /
                        static_cast<double>(counters.listed_rows > 0 ? counters.listed_rows : 1);
  double rows = static_cast<double>(work.first_rows) * (spread > 1 ? spread : 1);
  if (rows > static_cast<double>(work.room)) rows = static_cast<double>(work.room);
  for (int32_t round = 0; round < work.rounds; ++round, rows *= work.growth) {
    const bool all = round == work.rounds - 1 || rows >= union_rows;
    counters.round_end[round] = all ? begin : static_cast<int32_t>(rows / (64 * kTileWords));
  }
}

__global__ void __launch_bounds__(kListThreads)
    sl_scan_tiles(const RunError* error, IvfScan::Args args, ScanWork work) {
  if (stopped(error)) return;
  const int32_t n_tiles = work.counters->n_tiles;
  for (int32_t i = static_cast<int32_t>(blockIdx.x * kListThreads + threadIdx.x); i < n_tiles;
       i += static_cast<int32_t>(gridDim.x * kListThreads)) {
    int32_t low = 0;
    int32_t high = work.counters->n_slots;
    while (low + 1 < high) {  // the last slot that begins at or before the tile
      const int32_t middle = (low + high) / 2;
      (work.tile_begin[middle] <= i ? low : high) = middle;
    }
    const int32_t cluster = work.cluster_of_slot[low];
    const int32_t word = args.cluster_begin[cluster] / 64 + (i - work.tile_begin[low]) * kTileWords;
    const int32_t left = args.cluster_begin[cluster + 1] / 64 - word;
    work.tiles[i] = {cluster, word, left < kTileWords ? left : kTileWords};
  }
}

// After a round: the lists hold the best so far, the buffers are free again.
__global__ void sl_scan_carry(const RunError* error, ScanWork work) {
  if (stopped(error)) return;
  const int64_t query = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (query >= work.n_queries) return;
  const SelectState& state = work.lists.states[query];
  ScanQuery& own = work.queries[query];
  own.bound = uint64_t{state.cut.words[0]} << 32 | state.cut.words[1];
  own.carried = state.count;
  own.count = 0;
}

ScanWork lay_out(const Context& context, const IvfScan::Args& args, Carve& carve) {
  return ScanWork(args, runtime(context).limits.memory_bytes, carve);
}

size_t workspace(const Context& context, const IvfScan::Args& args) {
  Carve carve;
  lay_out(context, args, carve);
  return carve.bytes();
}

Status list_work(const Runtime& device, const IvfScan::Args& args, const ScanWork& work) {
  SILVERLODE_RETURN_IF_ERROR(work.clear(device, work.queries));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_scan_join, grid_for(device, work.n_queries, 1, 16), kListThreads, 0,
                                    device.error, IvfScan::kName, args, work));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_scan_order, 1, kListThreads, 0, device.error, args, work));
  const int64_t most = args.n_clusters + args.n_rows / (64 * kTileWords);
  return launch(device, sl_scan_tiles, grid_for(device, most, kListThreads), kListThreads, 0, device.error, args, work);
}

Status run(Context& context, const IvfScan::Args& args, Workspace workspace) {
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfScan::kName);
  if (args.words * 64 < args.n_rows) {
    return make_error(Code::kShapeMismatch, "%s: %lld mask words are too few for %lld rows", IvfScan::kName,
                      static_cast<long long>(args.words), static_cast<long long>(args.n_rows));
  }
  if (args.batch * args.heads == 0) return ok_status();
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const ScanWork work = lay_out(context, args, carve);
  SILVERLODE_RETURN_IF_ERROR(list_work(device, args, work));

  int32_t target = 0;
  const auto source = [&] { return candidates_of(args, work, target); };
  const int64_t longest = work.room + work.lists.capacity;
  for (int32_t round = 0; round < work.rounds; ++round) {
    if (round > 0) {
      SILVERLODE_RETURN_IF_ERROR(select_rows(device, source(), 0, work.n_queries, longest, work.lists, 1 - target));
      target = 1 - target;
      SILVERLODE_RETURN_IF_ERROR(launch(device, sl_scan_carry, static_cast<unsigned>((work.n_queries + 127) / 128), 128,
                                        0, device.error, work));
    }
    SILVERLODE_RETURN_IF_ERROR(scan_round(device, args, work, round));
  }
  if (work.rounds > 1) SILVERLODE_RETURN_IF_ERROR(scan_alone(device, args, work, true));
  SILVERLODE_RETURN_IF_ERROR(select_rows(device, source(), 0, work.n_queries, longest, work.lists, 1 - target));
  return write_best(device, args, work, longest, 1 - target);
}

}  // namespace

template <>
OpEntry<IvfScan::Args> entry<IvfScan>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
