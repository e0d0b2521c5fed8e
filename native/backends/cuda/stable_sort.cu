#include "backends/cuda/stable_sort.h"

#include "backends/cuda/device/block_scan.cuh"
#include "backends/cuda/launch.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

constexpr int kDigits = 256;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kRounds = 8;
constexpr int64_t kBlockKeys = kThreads * kRounds;
constexpr int kScanThreads = 1024;

int64_t blocks_of(int64_t n) { return (n + kBlockKeys - 1) / kBlockKeys; }

// The row at place i: passes after the first read the order of the one before.
__device__ __forceinline__ int32_t row_at(const int32_t* order, int64_t i) {
  return order == nullptr ? static_cast<int32_t>(i) : order[i];
}

// How often each digit occurs in a block of keys.
__global__ void __launch_bounds__(kThreads)
    sl_sort_count(const RunError* error, const int32_t* keys, const int32_t* order, int64_t n, int shift,
                  int64_t n_blocks, uint32_t* counts) {
  if (stopped(error)) return;
  auto& histogram = shared<uint32_t[kDigits], struct Histogram>();
  for (int64_t block = blockIdx.x; block < n_blocks; block += gridDim.x) {
    histogram[threadIdx.x] = 0;
    __syncthreads();
    for (int round = 0; round < kRounds; ++round) {
      const int64_t i = block * kBlockKeys + round * kThreads + threadIdx.x;
      if (i < n) atomicAdd(&histogram[keys[row_at(order, i)] >> shift & (kDigits - 1)], 1u);
    }
    __syncthreads();
    counts[threadIdx.x * n_blocks + block] = histogram[threadIdx.x];
    __syncthreads();
  }
}

// Exclusive sums in place, by one block.
__global__ void __launch_bounds__(kScanThreads) sl_sort_scan(const RunError* error, uint32_t* counts, int64_t n) {
  if (stopped(error)) return;
  uint32_t before = 0;
  for (int64_t first = 0; first < n; first += kScanThreads) {
    const int64_t i = first + threadIdx.x;
    const auto scan = block_scan<kScanThreads>(i < n ? counts[i] : 0u);
    if (i < n) counts[i] = before + scan.before;
    before += scan.total;
  }
}

// Puts rows at their places. Within a block they come in rounds; within a round, rows of the same digit go by warp and lane.
__global__ void __launch_bounds__(kThreads)
    sl_sort_scatter(const RunError* error, const int32_t* keys, const int32_t* order, int64_t n, int shift,
                    int64_t n_blocks, const uint32_t* begins, int32_t* sorted) {
  if (stopped(error)) return;
  auto& next = shared<uint32_t[kDigits], struct Next>();                   // place of the next row of a digit
  auto& warp_counts = shared<uint32_t[kWarps][kDigits], struct Counts>();  // of the round
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int64_t block = blockIdx.x; block < n_blocks; block += gridDim.x) {
    next[threadIdx.x] = begins[threadIdx.x * n_blocks + block];
    for (int round = 0; round < kRounds; ++round) {
      for (int w = 0; w < kWarps; ++w) warp_counts[w][threadIdx.x] = 0;
      __syncthreads();
      const int64_t i = block * kBlockKeys + round * kThreads + threadIdx.x;
      const int32_t row = i < n ? row_at(order, i) : 0;
      // Lanes without a key share a digit of their own.
      const int digit = i < n ? keys[row] >> shift & (kDigits - 1) : kDigits;
      const unsigned equal = __match_any_sync(0xffffffffu, digit);
      const unsigned rank = __popc(equal & ((1u << lane) - 1));
      if (rank == 0 && i < n) warp_counts[warp][digit] = __popc(equal);
      __syncthreads();
      if (i < n) {
        uint32_t place = next[digit] + rank;
        for (unsigned w = 0; w < warp; ++w) place += warp_counts[w][digit];
        sorted[place] = row;
      }
      __syncthreads();
      for (int w = 0; w < kWarps; ++w) next[threadIdx.x] += warp_counts[w][threadIdx.x];
    }
    __syncthreads();
  }
}

}  // namespace

SortScratch::SortScratch(Carve& carve, int64_t n)
    : counts(carve.take<uint32_t>(kDigits * blocks_of(n))), order{carve.take<int32_t>(n), carve.take<int32_t>(n)} {}

Status stable_sort(const Runtime& device, const int32_t* keys, int64_t n, int64_t key_limit, const SortScratch& scratch,
                   const int32_t** order) {
  const int64_t n_blocks = blocks_of(n);
  const unsigned grid = grid_for(device, n_blocks, 1);
  const int32_t* from = nullptr;
  int pass = 0;
  do {
    int32_t* to = scratch.order[pass % 2];
    const int shift = 8 * pass;
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_sort_count, grid, kThreads, 0, device.error, keys, from, n, shift, n_blocks, scratch.counts));
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_sort_scan, 1, kScanThreads, 0, device.error, scratch.counts, kDigits * n_blocks));
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_sort_scatter, grid, kThreads, 0, device.error, keys, from, n, shift,
                                      n_blocks, scratch.counts, to));
    from = to;
    ++pass;
  } while ((key_limit - 1) >> (8 * pass) != 0);
  *order = from;
  return ok_status();
}

}  // namespace silverlode::cuda
