// What a scan keeps in the workspace (ivf_scan, ivf_search). Its work list has every probed cluster once, cut into tiles of rows,
// with the set of queries (request * heads + head) that probe it.
#pragma once

#include <limits>

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

  // All zero when a run starts, and next to each other; the work list from `counters` on.
  ScanQuery* queries;           // [Q]
  unsigned long long* scanned;  // [batch]
  ScanCounters* counters;
  uint32_t* claimed;  // [C] whether a cluster is listed
  uint32_t* members;  // [C, member_words] bit per query
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

  // Clears from `first` on.
  Status clear(const Runtime& device, void* first) const {
    const auto bytes = static_cast<size_t>(static_cast<std::byte*>(zeroed_end) - static_cast<std::byte*>(first));
    return status_of(cudaMemsetAsync(first, 0, bytes, device.stream), "clearing the work list");
  }

  __device__ bool is_member(int32_t cluster, int64_t query) const {
    return (members[int64_t{cluster} * member_words + query / 32] >> (query % 32) & 1) != 0;
  }
};

// Candidate buffers take at most this share of the device's memory, unless k or the number of queries needs more: at least
// four times the room for the best k of every query.
constexpr size_t kMemoryShare = 512;
constexpr size_t kDefaultMemory = size_t{64} << 30;

inline ScanWork::ScanWork(const IvfScan::Args& args, size_t memory_bytes, Carve& carve)
    : queries(carve.take<ScanQuery>(args.batch * args.heads)),
      scanned(carve.take<unsigned long long>(args.batch)),
      counters(carve.take<ScanCounters>(1)),
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

// What the best k of a query are selected from.
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

inline ScanCandidates candidates_of(const IvfScan::Args& args, const ScanWork& work, int32_t target) {
  return {work.queries, work.lists.items[target], work.candidates, args.limits,
          args.heads,   work.lists.capacity,      work.room,       work.k};
}

namespace {

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

}  // namespace

// Sorts the lists in items[target] and writes them.
inline Status write_best(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int64_t longest,
                         int32_t target) {
  const ScanCandidates source = candidates_of(args, work, target);
  SILVERLODE_RETURN_IF_ERROR(sort_rows(device, work.lists, work.n_queries, longest, target));
  return launch(device, sl_scan_write, grid_for(device, work.n_queries * args.k, 256, 16), 256, 0, device.error, args,
                work, source, work.lists.items[target]);
}

}  // namespace silverlode::cuda
