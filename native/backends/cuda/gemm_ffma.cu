// Products on the float pipeline, then + bias, then the activation: for float32 the CPU's arithmetic bit for bit.
#include "backends/cuda/device/block_product.cuh"
#include "backends/cuda/device/thread_epilogue.cuh"
#include "backends/cuda/gemm_kernels.h"

namespace silverlode::cuda {

namespace {

template <class T, int kTileRows>
__global__ void __launch_bounds__(kProductThreads, 2) sl_linear_ffma(const RunError* error, GemmTask task) {
  if (stopped(error)) return;
  using Tile = ProductTile<kTileRows>;
  const int64_t column_tiles = (task.n + kProductColumns - 1) / kProductColumns;
  const int64_t first_row = blockIdx.x / column_tiles * kTileRows;
  const int64_t first_column = blockIdx.x % column_tiles * kProductColumns;
  for (int64_t matrix = blockIdx.z; matrix < task.batch; matrix += gridDim.z) {
    Tile tile;
    tile.multiply(static_cast<const T*>(task.x) + matrix * task.x_stride, task.ldx, task.m, first_row,
                  static_cast<const T*>(task.w) + matrix * task.w_stride, task.ldw, task.n, first_column, task.k);
    const auto row_of = [&](int i) { return first_row + Tile::row(i); };
    const auto column_of = [&](int j) { return first_column + Tile::column(j); };
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
      if (column_of(j) >= task.n) continue;
#pragma unroll
      for (int i = 0; i < Tile::kRows; ++i) {
        tile.sums[i][j] = add_bias<T>(task, matrix, column_of(j), tile.sums[i][j]);
      }
    }
    activate_all(task.activation, tile.sums);
#pragma unroll
    for (int i = 0; i < Tile::kRows; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::kColumns; ++j) {
        if (row_of(i) >= task.m || column_of(j) >= task.n) continue;
        store_result<T>(task, matrix, row_of(i), column_of(j), tile.sums[i][j]);
      }
    }
  }
}

template <class T, int kTileRows>
Status run_tile(const Runtime& device, const GemmTask& task) {
  const int64_t tiles = ((task.m + kTileRows - 1) / kTileRows) * ((task.n + kProductColumns - 1) / kProductColumns);
  const dim3 grid(static_cast<unsigned>(tiles), 1, batch_grid(task));
  return launch(device, sl_linear_ffma<T, kTileRows>, grid, kProductThreads, 0, device.error, task);
}

}  // namespace

Status run_ffma(const Runtime& device, const GemmTask& task) {
  // High tiles read shared memory less often; low ones keep more multiprocessors busy.
  const int64_t high_tiles = ((task.m + 127) / 128) * ((task.n + kProductColumns - 1) / kProductColumns) * task.batch;
  if (task.dtype == DType::kF32 && high_tiles >= device.limits.sm_count) return run_tile<float, 128>(device, task);
  return with_float_type(task.dtype, [&](auto type) { return run_tile<decltype(type), 64>(device, task); });
}

}  // namespace silverlode::cuda
