// What an ivf_scan keeps in its workspace, and the kernels that turn lists of clusters per query into a work list: every
// probed cluster once, cut into tiles of rows, with the set of queries (request * heads + head) that probe it.
#pragma once

#include "backends/cuda/device/grid_select.cuh"
#include "backends/cuda/device/warp_dots.cuh"
#include "ops/ivf_scan.h"

namespace silverlode::cuda {

constexpr int32_t kTileWords = 8;  // mask words of 64 rows
constexpr int32_t kMaxRounds = 6;
constexpr int64_t kFirstRoundRows = 65536;

struct ScanTile {
  int32_t cluster;
  int32_t first_word;
  int32_t n_words;
};

struct ScanCounters {
  unsigned long long listed_rows;  // over all queries
  int32_t n_slots;
  int32_t n_tiles;
  int32_t round_end[kMaxRounds];  // tiles [round_end[r - 1], round_end[r]) belong to round r
  int32_t cursor[kMaxRounds];     // tiles taken in a round
};

// The candidates of one query: `carried` in a list, then `count` in its buffer.
struct ScanQuery {
  RankKey bound;   // keys below it are not among the best; kEmptyKey until that is known
  uint32_t count;  // may exceed the buffer when keys were lost
  uint32_t carried;
  uint32_t overflow;  // keys were lost: the query is scanned again on its own
  float norm;
};

struct ScanWork {
  ScanWork(const IvfScan::Args& args, size_t memory_bytes, Carve& carve);

  // All zero when a run starts, and next to each other.
  ScanCounters* counters;
  ScanQuery* queries;           // [Q]
  unsigned long long* scanned;  // [batch]
  uint32_t* claimed;            // [C] whether a cluster has a slot
  uint32_t* members;            // [C, member_words] bit per query
  void* zeroed_end;

  int32_t* cluster_of_slot;  // [C]
  int32_t* tile_begin;       // [C]
  ScanTile* tiles;           // [C + rows / 512 + 1]
  RankKey* candidates;       // [Q, room]
  SelectLists<RankKey> lists;

  int64_t n_queries, k;
  int64_t room;  // keys of a query's buffer
  int32_t member_words;
  int32_t rounds;
  int64_t first_rows;  // rows per query, on average, in the first of several rounds
  double growth;       // rows seen after a round, relative to before

  __device__ bool is_member(int32_t cluster, int64_t query) const {
    return (members[int64_t{cluster} * member_words + query / 32] >> (query % 32) & 1) != 0;
  }
};

// Candidate buffers take at most this share of the device's memory, unless k or the number of queries needs more: at least
// four times the room for the best k of every query.
constexpr size_t kMemoryShare = 512;
constexpr size_t kDefaultMemory = size_t{64} << 30;

inline ScanWork::ScanWork(const IvfScan::Args& args, size_t memory_bytes, Carve& carve)
    : counters(carve.take<ScanCounters>(1)),
      queries(carve.take<ScanQuery>(args.batch * args.heads)),
      scanned(carve.take<unsigned long long>(args.batch)),
      claimed(carve.take<uint32_t>(args.n_clusters)),
      members(carve.take<uint32_t>(args.n_clusters * ((args.batch * args.heads + 31) / 32))),
      zeroed_end(carve.take<uint8_t>(0)),
      cluster_of_slot(carve.take<int32_t>(args.n_clusters)),
      tile_begin(carve.take<int32_t>(args.n_clusters)),
      tiles(carve.take<ScanTile>(args.n_clusters + args.n_rows / (64 * kTileWords) + 1)),
      candidates(nullptr),
      lists(args.batch * args.heads, std::min(args.k, args.n_rows), carve),
      n_queries(args.batch * args.heads),
      k(std::min(args.k, args.n_rows)),
      member_words(static_cast<int32_t>((n_queries + 31) / 32)) {
  const size_t memory = memory_bytes == 0 ? kDefaultMemory : memory_bytes;
  const int64_t all = std::max<int64_t>(1, n_queries);
  const int64_t least = 4 * lists.capacity;
  const int64_t keys = std::min(
      std::max<int64_t>(static_cast<int64_t>(memory / kMemoryShare / sizeof(RankKey)), all * least), all * args.n_rows);
  candidates = carve.take<RankKey>(keys);
  room = keys / all;

  // One round materialises everything; several find a bound first, so that few keys of later rounds are written at all. A
  // later round is expected to fill half of what is left of a buffer.
  first_rows = std::min(room, std::max<int64_t>(16 * k, kFirstRoundRows));
  growth = 1 + static_cast<double>(room - lists.capacity) / static_cast<double>(2 * lists.capacity);
  rounds = 1;
  if (args.n_rows <= room && (n_queries <= 8 || args.n_rows <= 4 * first_rows)) return;
  double rows = static_cast<double>(first_rows);
  for (rounds = 2; rounds < kMaxRounds && rows * growth < static_cast<double>(args.n_rows); ++rounds) rows *= growth;
}

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

}  // namespace

}  // namespace silverlode::cuda
