// Products of float16 and bfloat16 on tensor cores (mma.sync, sm_80 and later), float32 sums over ascending k in steps of 16.
// A block computes 128 x 64 outputs; the next tiles of x and W are copied while the last ones are multiplied.
#include "backends/cuda/device/thread_epilogue.cuh"
#include "backends/cuda/gemm_kernels.h"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr int kRows = 128, kColumns = 64;  // of a block
constexpr int kDepth = 32;                 // of k, copied at once
constexpr int kStages = 3;                 // tiles in shared memory
constexpr int kThreads = 256;
constexpr int kPitch = kDepth + 8;  // elements between rows of a tile: eight rows meet every bank once
constexpr int kChunk = 8;           // elements of a 16-byte copy
constexpr int kWarpRows = 32, kWarpColumns = 32;

struct Tiles {
  uint16_t x[kRows][kPitch];
  uint16_t w[kColumns][kPitch];
};

// One operand as the block sees it: `rows` x k from its first row on.
struct Operand {
  const uint16_t* data;
  int64_t ld, rows;
  bool aligned;  // every row starts at a multiple of 16 bytes

  // Copies columns [k, k + kDepth) of the block's rows; zeros beyond the matrix.
  template <int kTileRows>
  __device__ __forceinline__ void fetch(uint16_t (&tile)[kTileRows][kPitch], int64_t k, int64_t depth) const {
    constexpr int kChunks = kDepth / kChunk;
#pragma unroll
    for (int i = 0; i < kTileRows * kChunks / kThreads; ++i) {
      const int chunk = threadIdx.x + i * kThreads;
      const int row = chunk / kChunks;
      const int64_t column = k + chunk % kChunks * kChunk;
      uint16_t* to = &tile[row][chunk % kChunks * kChunk];
      const uint16_t* from = data + row * ld + column;
      if (row < rows && aligned && column + kChunk <= depth) {
        copy16(to, from);
      } else {
        for (int j = 0; j < kChunk; ++j) to[j] = row < rows && column + j < depth ? from[j] : uint16_t{0};
      }
    }
  }
};

using Sums = float[kWarpRows / 16 * kWarpColumns / 8][4];  // [16-row tile x 8-column tile][fragment]

template <bool kBFloat>
__device__ __forceinline__ void multiply_tiles(const Tiles& tiles, int warp_row, int warp_column, Sums& sums) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    uint32_t x[kWarpRows / 16][4], w[kWarpColumns / 16][4];
#pragma unroll
    for (int i = 0; i < kWarpRows / 16; ++i) {
      load_matrices(x[i], &tiles.x[warp_row + i * 16 + lane % 16][k + lane / 16 * 8]);
    }
#pragma unroll
    for (int j = 0; j < kWarpColumns / 16; ++j) {
      load_matrices(w[j], &tiles.w[warp_column + j * 16 + lane / 16 * 8 + lane % 8][k + lane / 8 % 2 * 8]);
    }
#pragma unroll
    for (int i = 0; i < kWarpRows / 16; ++i) {
#pragma unroll
      for (int j = 0; j < kWarpColumns / 8; ++j) {
        const uint32_t column[2] = {w[j / 2][j % 2 * 2], w[j / 2][j % 2 * 2 + 1]};
        mma_m16n8k16<kBFloat>(sums[i * (kWarpColumns / 8) + j], x[i], column);
      }
    }
  }
}

template <class T>
__device__ __forceinline__ void finish(const GemmTask& task, int64_t matrix, int64_t first_row, int64_t first_column,
                                       Sums& sums) {
  const int lane = threadIdx.x % 32;
  constexpr int kAcross = kWarpColumns / 8;
  const auto row_of = [&](int tile, int i) { return first_row + tile / kAcross * 16 + lane / 4 + i / 2 * 8; };
  const auto column_of = [&](int tile, int i) { return first_column + tile % kAcross * 8 + lane % 4 * 2 + i % 2; };
#pragma unroll
  for (int tile = 0; tile < kWarpRows / 16 * kAcross; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (column_of(tile, i) >= task.n) continue;
      sums[tile][i] = add_bias<T>(task, matrix, column_of(tile, i), sums[tile][i]);
    }
  }
  activate_all(task.activation, sums);
#pragma unroll
  for (int tile = 0; tile < kWarpRows / 16 * kAcross; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (row_of(tile, i) >= task.m || column_of(tile, i) >= task.n) continue;
      store_result<T>(task, matrix, row_of(tile, i), column_of(tile, i), sums[tile][i]);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 2)
    sl_linear_mma(const RunError* error, GemmTask task, bool x_aligned, bool w_aligned) {
  if (stopped(error)) return;
  auto& stages = shared<Tiles[kStages], struct Stages>();
  const int64_t column_tiles = (task.n + kColumns - 1) / kColumns;
  const int64_t first_row = blockIdx.x / column_tiles * kRows;
  const int64_t first_column = blockIdx.x % column_tiles * kColumns;
  const int warp = threadIdx.x / 32;
  const int warp_row = warp / 2 * kWarpRows, warp_column = warp % 2 * kWarpColumns;
  const int steps = static_cast<int>((task.k + kDepth - 1) / kDepth);
  for (int64_t matrix = blockIdx.z; matrix < task.batch; matrix += gridDim.z) {
    const Operand x = {static_cast<const uint16_t*>(task.x) + matrix * task.x_stride + first_row * task.ldx, task.ldx,
                       task.m - first_row, x_aligned};
    const Operand w = {static_cast<const uint16_t*>(task.w) + matrix * task.w_stride + first_column * task.ldw,
                       task.ldw, task.n - first_column, w_aligned};
    const auto fetch = [&](int step) {
      if (step < steps) {
        x.fetch(stages[step % kStages].x, static_cast<int64_t>(step) * kDepth, task.k);
        w.fetch(stages[step % kStages].w, static_cast<int64_t>(step) * kDepth, task.k);
      }
      commit_copies();
    };
    Sums sums = {};
    __syncthreads();  // the last matrix is done with the tiles
    for (int step = 0; step < kStages - 1; ++step) fetch(step);
    for (int step = 0; step < steps; ++step) {
      wait_copies<kStages - 2>();
      __syncthreads();  // shows this step's tiles, and that the one before is done with its own
      fetch(step + kStages - 1);
      multiply_tiles<std::is_same_v<T, BFloat16>>(stages[step % kStages], warp_row, warp_column, sums);
    }
    finish<T>(task, matrix, first_row + warp_row, first_column + warp_column, sums);
  }
}

bool is_aligned(const void* data, int64_t ld, int64_t stride) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && ld % kChunk == 0 && stride % kChunk == 0;
}

}  // namespace

Status run_mma(const Runtime& device, const GemmTask& task) {
  const int64_t tiles = ((task.m + kRows - 1) / kRows) * ((task.n + kColumns - 1) / kColumns);
  const dim3 grid(static_cast<unsigned>(tiles), 1, batch_grid(task));
  const auto kernel = task.dtype == DType::kBF16 ? sl_linear_mma<BFloat16> : sl_linear_mma<Float16>;
  return launch(device, kernel, grid, kThreads, 0, device.error, task, is_aligned(task.x, task.ldx, task.x_stride),
                is_aligned(task.w, task.ldw, task.w_stride));
}

}  // namespace silverlode::cuda
