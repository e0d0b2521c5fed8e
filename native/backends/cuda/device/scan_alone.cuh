// Queries whose buffer overflowed (rows that come in ascending order of score can do that): each is scanned again on its
// own, by several blocks that keep the best k of their share of the tiles in a part of the query's buffer.
#pragma once

#include "backends/cuda/device/block_select.cuh"
#include "backends/cuda/device/scan_work.cuh"

namespace silverlode::cuda {

namespace {

// The best k of a stream of keys, by one block, in `room` keys of global memory: whenever they are full, all but the best
// `capacity` are dropped. room >= capacity + kSelectThreads.
class BlockCollector {
 public:
  struct State {
    SelectState select;
    uint32_t count;
  };

  __device__ BlockCollector(State& state, uint32_t* bins, RankKey* keys, uint32_t room, uint32_t k, uint32_t capacity)
      : state_(state), bins_(bins), keys_(keys), room_(room), k_(k), capacity_(capacity) {
    if (threadIdx.x == 0) state_ = {};
    __syncthreads();
  }

  // By every thread of the block; kEmptyKey for nothing.
  __device__ void push(RankKey key) {
    const uint32_t count = state_.count;
    __syncthreads();
    if (count + kSelectThreads > room_) shrink();
    if (key != kEmptyKey && key >= bound_) keys_[atomicAdd(&state_.count, 1u)] = key;
    __syncthreads();
  }

  // Clears the keys that are not used.
  __device__ void finish() {
    for (uint32_t i = state_.count + threadIdx.x; i < room_; i += kSelectThreads) keys_[i] = kEmptyKey;
  }

 private:
  __device__ void shrink() {
    const uint32_t n = state_.count;
    __syncthreads();
    find_cut(state_.select, bins_, n, k_, capacity_, [&](uint32_t i) { return keys_[i]; });
    const Cut cut = state_.select.cut;
    const uint32_t kept = compact(state_.select, keys_, n, keys_);
    bound_ = uint64_t{cut.words[0]} << 32 | cut.words[1];
    if (threadIdx.x == 0) state_.count = kept;
    __syncthreads();
  }

  State& state_;
  uint32_t* bins_;
  RankKey* keys_;
  uint32_t room_, k_, capacity_;
  RankKey bound_ = kEmptyKey;
};

__device__ inline int32_t dot_row(const int8_t* row, const int8_t* query, int64_t dim) {
  int32_t sum = 0;
#pragma unroll 2
  for (int64_t d = 0; d < dim; d += 16) {
    const uint4 a = *reinterpret_cast<const uint4*>(row + d);
    const uint4 b = *reinterpret_cast<const uint4*>(query + d);
    sum = __dp4a(static_cast<int>(a.x), static_cast<int>(b.x), sum);
    sum = __dp4a(static_cast<int>(a.y), static_cast<int>(b.y), sum);
    sum = __dp4a(static_cast<int>(a.z), static_cast<int>(b.z), sum);
    sum = __dp4a(static_cast<int>(a.w), static_cast<int>(b.w), sum);
  }
  return sum;
}

// `parts` blocks per query. `all`: the tiles hold what was carried too.
__global__ void __launch_bounds__(kSelectThreads, 3)
    sl_scan_alone(const RunError* error, IvfScan::Args args, ScanWork work, int32_t parts, bool all) {
  if (stopped(error)) return;
  const int64_t query = blockIdx.x / parts;
  const auto part = static_cast<int32_t>(blockIdx.x % parts);
  ScanQuery& state = work.queries[query];
  if (state.overflow == 0) return;
  struct Bins;
  struct Collected;
  const int64_t request = query / args.heads;
  const int32_t limit = args.limits[request];
  const auto room = static_cast<uint32_t>(work.room / parts);
  BlockCollector collector(shared<BlockCollector::State, Collected>(), shared<uint32_t[kBins], Bins>(),
                           work.candidates + query * work.room + int64_t{part} * room, room,
                           static_cast<uint32_t>(limit < work.k ? limit : work.k),
                           static_cast<uint32_t>(work.lists.capacity));
  const QueryScore score = {args.query_scales[query], state.norm};
  const int32_t mask_row = args.mask_of[request];
  const uint64_t* mask = mask_row < 0 ? args.live : args.mask + mask_row * args.words;
  const int32_t n_tiles = work.counters->round_end[work.rounds - 1];
  for (int32_t i = part; i < n_tiles; i += parts) {
    const ScanTile tile = work.tiles[i];
    if (!work.is_member(tile.cluster, query)) continue;
    for (int32_t first = 0; first < tile.n_words * 64; first += kSelectThreads) {
      const int32_t offset = first + static_cast<int32_t>(threadIdx.x);
      const int64_t row = int64_t{tile.first_word} * 64 + offset;
      RankKey key = kEmptyKey;
      if (offset < tile.n_words * 64 && (mask[row / 64] >> (row % 64) & 1) != 0) {
        const auto dot =
            static_cast<float>(dot_row(args.rows + row * args.dim, args.queries + query * args.dim, args.dim));
        key = make_key(
            finish_score(dot, args.row_scales[row], row_bias(args.row_bias, row), score, args.metric == Metric::kL2),
            static_cast<uint32_t>(args.ordinals[row]));
      }
      collector.push(key);
    }
  }
  collector.finish();
  if (part == 0 && threadIdx.x == 0) {
    if (all) state.carried = 0;
    state.count = room * static_cast<uint32_t>(parts);
  }
}

}  // namespace

inline Status scan_alone(const Runtime& device, const IvfScan::Args& args, const ScanWork& work, bool all) {
  const int64_t most = std::max<int64_t>(1, 2 * device.limits.sm_count / work.n_queries);
  const auto parts = static_cast<int32_t>(std::clamp<int64_t>(work.room / (2 * work.lists.capacity), 1, most));
  return launch(device, sl_scan_alone, static_cast<unsigned>(work.n_queries * parts), kSelectThreads, 0, device.error,
                args, work, parts, all);
}

}  // namespace silverlode::cuda
