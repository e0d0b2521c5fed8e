// How it goes (gpu-side of "probe, then filter, then scan"):
//   join, order, tiles  the union of probed clusters becomes a list of tiles, each with the queries that want it;
//   rows                tiles are scanned in one to six rounds. Without a bound all eligible rows of a query are candidates;
//                       after a round the best k so far give a bound that later rows must reach;
//   alone               queries whose buffer overflowed are scanned again, which is slow and always right;
//   select, sort        the best k of the candidates.
// Everything that depends on data is decided on the device. Workspace: kMemoryShare of the device's memory for candidate
// buffers (more only for 32 k queries over that), two lists of k and a bit per cluster and query.
#include "ops/ivf_scan.h"

#include <limits>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/scan_alone.cuh"
#include "backends/cuda/device/scan_tile.cuh"

namespace silverlode::cuda {

namespace {

struct ScanCandidates {
  using Item = RankKey;
  const ScanQuery* queries;
  const RankKey* carried;
  const RankKey* candidates;
  const int32_t* limits;
  int64_t heads, capacity, room, k;

  __device__ int64_t size(int64_t query) const {
    const int64_t count = queries[query].count;
    return queries[query].carried + (count < room ? count : room);
  }
  __device__ int64_t wanted(int64_t query) const {
    const int64_t limit = limits[query / heads];
    return limit < 0 ? 0 : limit < k ? limit : k;
  }
  __device__ RankKey item(int64_t query, int64_t i) const {
    const int64_t n = queries[query].carried;
    return i < n ? carried[query * capacity + i] : candidates[query * room + (i - n)];
  }
};

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

__global__ void sl_scan_write(const RunError* error, IvfScan::Args args, ScanWork work, ScanCandidates source,
                              const RankKey* lists) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t i = first; i < work.n_queries * args.k; i += stride) {
    const int64_t query = i / args.k;
    const int64_t at = i % args.k;
    const bool found = at < work.lists.states[query].count && at < source.wanted(query);
    const RankKey key = found ? lists[query * work.lists.capacity + at] : kEmptyKey;
    args.out_scores[i] = found ? key_score(key) : -std::numeric_limits<float>::infinity();
    args.out_ordinals[i] = found ? static_cast<int32_t>(key_ordinal(key)) : -1;
  }
  for (int64_t i = first; i < args.batch; i += stride) args.out_scanned[i] = static_cast<int64_t>(work.scanned[i]);
}

ScanWork lay_out(const Context& context, const IvfScan::Args& args, Carve& carve) {
  return ScanWork(args, runtime(context).limits.memory_bytes, carve);
}

size_t workspace(const Context& context, const IvfScan::Args& args) {
  Carve carve;
  lay_out(context, args, carve);
  return carve.bytes();
}

template <int kTiles, class Dots>
Status scan_round(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int32_t round) {
  int64_t tiles = kTiles;
  while (Dots::kStaged && tiles > 1 && staged_bytes(args.dim, tiles) > kStagedBytes) --tiles;
  const size_t bytes = Dots::kStaged ? staged_bytes(args.dim, tiles) : sizeof(uint4);
  const int64_t most = args.n_clusters + args.n_rows / (64 * kTileWords);
  return launch(device, sl_scan_rows<kTiles, Dots>, grid_for(device, most, 1), kScanThreads, bytes, device.error, args,
                work, static_cast<int32_t>(tiles * kTileQueries), round);
}

// Tensor cores from compute capability 8.0 on; queries in shared memory where one tile of them fits.
template <int kTiles>
Status scan_round_by_variant(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int32_t round) {
  const bool tensor_cores = device.limits.compute_capability >= 80;
  if (staged_bytes(args.dim, 1) > kStagedBytes) {
    if (tensor_cores) return scan_round<1, DotPolicy<true, false, false>>(device, args, work, round);
    return scan_round<1, DotPolicy<false, false, false>>(device, args, work, round);
  }
  if (!tensor_cores) return scan_round<kTiles, DotPolicy<false, true, false>>(device, args, work, round);
  if (args.dim > kNarrowDim) return scan_round<kTiles, DotPolicy<true, true, false>>(device, args, work, round);
  return scan_round<kTiles, DotPolicy<true, true, true>>(device, args, work, round);
}

Status list_work(const Runtime& device, const IvfScan::Args& args, const ScanWork& work) {
  const auto zeroed =
      static_cast<size_t>(static_cast<std::byte*>(work.zeroed_end) - reinterpret_cast<std::byte*>(work.counters));
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(work.counters, 0, zeroed, device.stream), "clearing the work list"));
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
  const auto source = [&] {
    return ScanCandidates{work.queries, work.lists.items[target], work.candidates, args.limits,
                          args.heads,   work.lists.capacity,      work.room,       work.k};
  };
  const int64_t longest = work.room + work.lists.capacity;
  for (int32_t round = 0; round < work.rounds; ++round) {
    if (round > 0) {
      SILVERLODE_RETURN_IF_ERROR(select_rows(device, source(), 0, work.n_queries, longest, work.lists, 1 - target));
      target = 1 - target;
      SILVERLODE_RETURN_IF_ERROR(launch(device, sl_scan_carry, static_cast<unsigned>((work.n_queries + 127) / 128), 128,
                                        0, device.error, work));
    }
    SILVERLODE_RETURN_IF_ERROR(work.n_queries <= kTileQueries ? scan_round_by_variant<1>(device, args, work, round)
                                                              : scan_round_by_variant<8>(device, args, work, round));
  }
  if (work.rounds > 1) {
    const int64_t most = std::max<int64_t>(1, 2 * device.limits.sm_count / work.n_queries);
    const auto parts = static_cast<int32_t>(std::clamp<int64_t>(work.room / (2 * work.lists.capacity), 1, most));
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_scan_alone, static_cast<unsigned>(work.n_queries * parts),
                                      kSelectThreads, 0, device.error, args, work, parts));
  }
  const ScanCandidates candidates = source();
  target = 1 - target;
  SILVERLODE_RETURN_IF_ERROR(select_rows(device, candidates, 0, work.n_queries, longest, work.lists, target));
  SILVERLODE_RETURN_IF_ERROR(sort_rows(device, work.lists, work.n_queries, longest, target));
  return launch(device, sl_scan_write, grid_for(device, work.n_queries * args.k, 256, 16), 256, 0, device.error, args,
                work, candidates, work.lists.items[target]);
}

}  // namespace

OpEntry<IvfScan::Args> ivf_scan_entry() { return {workspace, run, nullptr, nullptr}; }

}  // namespace silverlode::cuda
