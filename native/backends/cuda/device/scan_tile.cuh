// The kernel that reads rows: eligible rows of a tile are listed in shared memory, scored against all queries that probe the
// tile's cluster, and keys that may be among the best are appended to the queries' buffers.
#pragma once

#include "backends/cuda/device/scan_work.cuh"

namespace silverlode::cuda {

constexpr int kScanThreads = 256;
constexpr int kScanWarps = kScanThreads / 32;
constexpr int kMemberBits = 1024;  // queries that are listed at a time
constexpr size_t kStagedBytes = 32 << 10;
static_assert(kScanWarps == kTileWords, "a warp lists the rows of a word");

template <int kTiles>
struct ScanGroup {
  static constexpr int kQueries = kTiles * kTileQueries;

  uint32_t members[kMemberBits];             // queries that probe the tile
  uint32_t masks[kQueries][2 * kTileWords];  // their eligible rows
  uint16_t rows[64 * kTileWords];            // rows in any of the masks, as offsets in the tile
  int32_t rows_in_word[kTileWords];
  QueryScore scores[kQueries];
  RankKey bounds[kQueries];
  uint32_t base[kQueries];  // where a query's keys of this tile go, if room was reserved
  uint32_t next[kQueries];
  bool reserved[kQueries];
  int32_t n_members;
  int32_t tile;
};

namespace {

// Members from bit `first` on, ascending; by the first warp.
template <int kTiles>
__device__ void list_members(ScanGroup<kTiles>& group, const ScanWork& work, int32_t cluster, int32_t first_word) {
  if (threadIdx.x >= 32) return;
  const int32_t word = first_word + static_cast<int32_t>(threadIdx.x);
  uint32_t bits = word < work.member_words ? work.members[int64_t{cluster} * work.member_words + word] : 0;
  const int inclusive = warp_inclusive_sum(__popc(bits));
  int at = inclusive - __popc(bits);
  for (; bits != 0; bits &= bits - 1) {
    group.members[at++] = static_cast<uint32_t>(word * 32 + __ffs(static_cast<int>(bits)) - 1);
  }
  if (threadIdx.x == 31) group.n_members = inclusive;
}

// Masks and parameters of queries [first, first + n) of the members; queries that are not there have empty masks.
template <int kTiles>
__device__ void load_group(ScanGroup<kTiles>& group, const IvfScan::Args& args, const ScanWork& work,
                           const ScanTile& tile, const uint32_t* members, int32_t n) {
  constexpr int kQueries = ScanGroup<kTiles>::kQueries;
  for (int i = static_cast<int>(threadIdx.x); i < kQueries * kTileWords; i += kScanThreads) {
    const int query = i / kTileWords;
    const int word = i % kTileWords;
    uint64_t bits = 0;
    if (query < n && word < tile.n_words) {
      const int32_t mask_row = args.mask_of[members[query] / args.heads];
      const uint64_t* mask = mask_row < 0 ? args.live : args.mask + mask_row * args.words;
      bits = mask[tile.first_word + word];
    }
    group.masks[query][2 * word] = static_cast<uint32_t>(bits);
    group.masks[query][2 * word + 1] = static_cast<uint32_t>(bits >> 32);
  }
  for (int i = static_cast<int>(threadIdx.x); i < kQueries; i += kScanThreads) {
    group.scores[i] = i < n ? QueryScore{args.query_scales[members[i]], work.queries[members[i]].norm} : QueryScore{};
    group.bounds[i] = i < n ? work.queries[members[i]].bound : ~RankKey{0};
  }
}

// Lists the rows of any mask in order, and reserves room for the keys of queries without a bound, which are known to be as
// many as their eligible rows.
template <int kTiles>
__device__ int32_t list_rows(ScanGroup<kTiles>& group, const IvfScan::Args& args, const ScanWork& work,
                             const uint32_t* members, int32_t n) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int word = static_cast<int>(threadIdx.x / 32);
  uint32_t low = 0;
  uint32_t high = 0;
  for (int i = lane; i < ScanGroup<kTiles>::kQueries; i += 32) {
    low |= group.masks[i][2 * word];
    high |= group.masks[i][2 * word + 1];
  }
  for (int step = 16; step > 0; step /= 2) {
    low |= __shfl_xor_sync(0xffffffffu, low, step);
    high |= __shfl_xor_sync(0xffffffffu, high, step);
  }
  if (lane == 0) group.rows_in_word[word] = __popc(low) + __popc(high);
  __syncthreads();
  int32_t first = 0;
  int32_t total = 0;
  for (int w = 0; w < kTileWords; ++w) {
    if (w < word) first += group.rows_in_word[w];
    total += group.rows_in_word[w];
  }
  const uint32_t below = (1u << lane) - 1;
  if ((low >> lane & 1) != 0) group.rows[first + __popc(low & below)] = static_cast<uint16_t>(64 * word + lane);
  if ((high >> lane & 1) != 0) {
    group.rows[first + __popc(low) + __popc(high & below)] = static_cast<uint16_t>(64 * word + 32 + lane);
  }
  if (static_cast<int32_t>(threadIdx.x) < n) {
    const int i = static_cast<int>(threadIdx.x);
    uint32_t own = 0;
    for (int w = 0; w < 2 * kTileWords; ++w) own += static_cast<uint32_t>(__popc(group.masks[i][w]));
    ScanQuery& query = work.queries[members[i]];
    group.reserved[i] = group.bounds[i] == kEmptyKey;
    group.next[i] = 0;
    if (own > 0) atomicAdd(&work.scanned[members[i] / args.heads], static_cast<unsigned long long>(own));
    if (group.reserved[i] && own > 0) {
      group.base[i] = atomicAdd(&query.count, own);
      if (group.base[i] + own > work.room) atomicExch(&query.overflow, 1u);
    }
  }
  __syncthreads();
  return total;
}

// Room for `n` keys of query i of the group; they are dropped where they do not fit.
template <int kTiles>
__device__ uint32_t reserve(ScanGroup<kTiles>& group, const ScanWork& work, const uint32_t* members, int i,
                            uint32_t n) {
  if (group.reserved[i]) return group.base[i] + atomicAdd(&group.next[i], n);
  ScanQuery& query = work.queries[members[i]];
  const uint32_t first = atomicAdd(&query.count, n);
  if (first + n > work.room) atomicExch(&query.overflow, 1u);
  return first;
}

// One of a lane's two rows.
struct ScanRow {
  int32_t offset;  // in the tile
  int32_t row;
  bool present;
  float scale;
  float bias;
};

// Whether the row is eligible for query i and its score reaches the query's bound.
template <int kTiles>
__device__ bool is_candidate(const ScanGroup<kTiles>& group, const IvfScan::Args& args, const ScanRow& row, int i,
                             uint32_t score) {
  if (!row.present || (group.masks[i][row.offset / 32] >> (row.offset % 32) & 1) == 0) return false;
  const RankKey bound = group.bounds[i];
  const auto least = static_cast<uint32_t>(bound >> 32);
  if (score != least) return score > least;
  return static_cast<uint32_t>(~args.ordinals[row.row]) >= static_cast<uint32_t>(bound);
}

// Appends what the warp has found for one query column per lane quad: lanes with the same t hold rows of the same query.
template <int kTiles>
__device__ void append(ScanGroup<kTiles>& group, const IvfScan::Args& args, const ScanWork& work,
                       const uint32_t* members, int i, const ScanRow (&rows)[2], const uint32_t (&scores)[2]) {
  bool candidate[2];
  unsigned lanes[2];
  for (int r = 0; r < 2; ++r) {
    candidate[r] = is_candidate(group, args, rows[r], i, scores[r]);
    lanes[r] = __ballot_sync(0xffffffffu, candidate[r]);
  }
  if ((lanes[0] | lanes[1]) == 0) return;
  const unsigned lane = threadIdx.x % 32;
  const unsigned column = 0x11111111u << (lane % 4);
  const auto first_count = static_cast<uint32_t>(__popc(lanes[0] & column));
  const uint32_t total = first_count + static_cast<uint32_t>(__popc(lanes[1] & column));
  uint32_t slot = 0;
  if (lane < 4 && total > 0) slot = reserve(group, work, members, i, total);
  slot = __shfl_sync(0xffffffffu, slot, static_cast<int>(lane % 4));
  const unsigned below = column & ((1u << lane) - 1);
  for (int r = 0; r < 2; ++r) {
    const uint32_t at = slot + (r == 0 ? 0 : first_count) + static_cast<uint32_t>(__popc(lanes[r] & below));
    if (!candidate[r] || at >= work.room) continue;
    const auto ordinal = static_cast<uint32_t>(args.ordinals[rows[r].row]);
    work.candidates[int64_t{members[i]} * work.room + at] = uint64_t{scores[r]} << 32 | static_cast<uint32_t>(~ordinal);
  }
}

// Scores the listed rows, 16 per warp at a time.
template <int kTiles, class Dots>
__device__ void score_rows(ScanGroup<kTiles>& group, const IvfScan::Args& args, const ScanWork& work,
                           const ScanTile& tile, const QueryTiles& queries, int32_t n_rows) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const bool l2 = args.metric == Metric::kL2;
  for (int32_t first = static_cast<int32_t>(threadIdx.x / 32) * kTileRows; first < n_rows;
       first += kScanWarps * kTileRows) {
    ScanRow rows[2];
    for (int r = 0; r < 2; ++r) {
      const int32_t at = first + r * 8 + lane / 4;
      rows[r].present = at < n_rows;
      rows[r].offset = group.rows[at < n_rows ? at : n_rows - 1];
      rows[r].row = tile.first_word * 64 + rows[r].offset;
      rows[r].scale = args.row_scales[rows[r].row];
      rows[r].bias = row_bias(args.row_bias, rows[r].row);
    }
    int32_t dots[kTiles][4];
    Dots::run(dots, args.rows + int64_t{rows[0].row} * args.dim, args.rows + int64_t{rows[1].row} * args.dim, queries);
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      if (j >= queries.tiles) continue;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int i = j * kTileQueries + lane % 4 * 2 + e;
        uint32_t scores[2];
        for (int r = 0; r < 2; ++r) {
          scores[r] = ordered_score(
              finish_score(Dots::to_float(dots[j][2 * r + e]), rows[r].scale, rows[r].bias, group.scores[i], l2));
        }
        append(group, args, work, queries.members, i, rows, scores);
      }
    }
  }
}

template <int kTiles, class Dots>
__global__ void __launch_bounds__(kScanThreads, kTiles == 1 && Dots::kTensor ? 3 : 2)
    sl_scan_rows(const RunError* error, IvfScan::Args args, ScanWork work, int32_t group_queries, int32_t round) {
  if (stopped(error)) return;
  struct Group;
  auto& group = shared<ScanGroup<kTiles>, Group>();
  ScanCounters& counters = *work.counters;
  const int32_t begin = round == 0 ? 0 : counters.round_end[round - 1];
  const int32_t end = counters.round_end[round];
  for (;;) {
    if (threadIdx.x == 0) group.tile = begin < end ? begin + atomicAdd(&counters.cursor[round], 1) : end;
    __syncthreads();
    if (group.tile >= end) break;
    const ScanTile tile = work.tiles[group.tile];
    for (int32_t word = 0; word < work.member_words; word += kMemberBits / 32) {
      list_members(group, work, tile.cluster, word);
      __syncthreads();
      const int32_t n_members = group.n_members;
      for (int32_t first = 0; first < n_members; first += group_queries) {
        const int32_t left = n_members - first;
        const int32_t n = left < group_queries ? left : group_queries;
        const QueryTiles queries = {args.queries,
                                    group.members + first,
                                    dynamic_shared<uint4>(),
                                    n,
                                    (n + kTileQueries - 1) / kTileQueries,
                                    static_cast<int32_t>(args.dim)};
        load_group(group, args, work, tile, queries.members, n);
        if constexpr (Dots::kStaged) queries.stage();
        __syncthreads();
        const int32_t n_rows = list_rows(group, args, work, queries.members, n);
        score_rows<kTiles, Dots>(group, args, work, tile, queries, n_rows);
        __syncthreads();
      }
    }
    __syncthreads();
  }
}

}  // namespace

template <int kTiles, class Dots>
Status scan_tiles(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int32_t round) {
  int64_t tiles = kTiles;
  while (Dots::kStaged && tiles > 1 && staged_bytes(args.dim, tiles) > kStagedBytes) --tiles;
  const size_t bytes = Dots::kStaged ? staged_bytes(args.dim, tiles) : sizeof(uint4);
  const int64_t most = args.n_clusters + args.n_rows / (64 * kTileWords);
  return launch(device, sl_scan_rows<kTiles, Dots>, grid_for(device, most, 1), kScanThreads, bytes, device.error, args,
                work, static_cast<int32_t>(tiles * kTileQueries), round);
}

// Tensor cores from compute capability 8.0 on; queries in shared memory where one tile of them fits.
template <int kTiles>
Status scan_tiles_by_variant(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int32_t round) {
  const bool tensor_cores = device.limits.compute_capability >= 80;
  if (staged_bytes(args.dim, 1) > kStagedBytes) {
    if (tensor_cores) return scan_tiles<1, DotPolicy<true, false, false>>(device, args, work, round);
    return scan_tiles<1, DotPolicy<false, false, false>>(device, args, work, round);
  }
  if (!tensor_cores) return scan_tiles<kTiles, DotPolicy<false, true, false>>(device, args, work, round);
  if (args.dim > kNarrowDim) return scan_tiles<kTiles, DotPolicy<true, true, false>>(device, args, work, round);
  return scan_tiles<kTiles, DotPolicy<true, true, true>>(device, args, work, round);
}

inline Status scan_round(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, int32_t round) {
  return work.n_queries <= kTileQueries ? scan_tiles_by_variant<1>(device, args, work, round)
                                        : scan_tiles_by_variant<8>(device, args, work, round);
}

}  // namespace silverlode::cuda
