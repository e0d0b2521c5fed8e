// Products on the float pipeline: every output is one fma chain over ascending k from 0, then + bias, then the activation,
// which for float32 is the CPU's arithmetic bit for bit.
#include "backends/cuda/device/thread_epilogue.cuh"
#include "backends/cuda/gemm_kernels.h"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr int kSide = 16;  // threads along each side of a tile
constexpr int kThreads = kSide * kSide;
constexpr int kTileColumns = 64;
constexpr int kDepth = 16;  // of k, between two barriers

// The next kDepth columns of kTile rows, on their way from global to shared memory. Beyond the matrix there are zeros.
template <class T, int kTile>
struct Fetched {
  static constexpr int kEach = kTile * kDepth / kThreads;
  float values[kEach];

  __device__ __forceinline__ void load(const T* from, int64_t ld, int64_t rows, int64_t first_row, int64_t k,
                                       int64_t first_k) {
    const int64_t column = first_k + threadIdx.x % kDepth;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t row = first_row + threadIdx.x / kDepth + i * (kThreads / kDepth);
      values[i] = row < rows && column < k ? to_float(from[row * ld + column]) : 0.0f;
    }
  }
  __device__ __forceinline__ void store(float (&tile)[kDepth][kTile + 4]) const {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      tile[threadIdx.x % kDepth][threadIdx.x / kDepth + i * (kThreads / kDepth)] = values[i];
    }
  }
};

// kCount values from a row of a tile: groups of 4, the groups 64 apart.
template <int kCount, int kWidth>
__device__ __forceinline__ void take(const float (&from)[kWidth], int first, float (&to)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; i += 4) {
    const float4 four = *reinterpret_cast<const float4*>(&from[i / 4 * 64 + first]);
    to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
  }
}

// One step of k for the thread's outputs.
template <int kRows, int kColumns>
__device__ __forceinline__ void multiply(const float (&rows)[kRows], const float (&columns)[kColumns],
                                         float (&sums)[kRows][kColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) sums[i][j] = fmaf(rows[i], columns[j], sums[i][j]);
  }
}

template <class T, int kTileRows>
__global__ void __launch_bounds__(kThreads, 2) sl_linear_ffma(const RunError* error, GemmTask task) {
  if (stopped(error)) return;
  constexpr int kRows = kTileRows / kSide, kColumns = kTileColumns / kSide;  // of a thread
  auto& x_tile = shared<float[kDepth][kTileRows + 4], struct XTile>();
  auto& w_tile = shared<float[kDepth][kTileColumns + 4], struct WTile>();
  const int64_t column_tiles = (task.n + kTileColumns - 1) / kTileColumns;
  const int64_t first_row = blockIdx.x / column_tiles * kTileRows;
  const int64_t first_column = blockIdx.x % column_tiles * kTileColumns;
  const int row_of_tile = threadIdx.x / kSide * 4, column_of_tile = threadIdx.x % kSide * 4;
  for (int64_t matrix = blockIdx.z; matrix < task.batch; matrix += gridDim.z) {
    const T* x = static_cast<const T*>(task.x) + matrix * task.x_stride;
    const T* w = static_cast<const T*>(task.w) + matrix * task.w_stride;
    float sums[kRows][kColumns] = {};
    Fetched<T, kTileRows> x_next;
    Fetched<T, kTileColumns> w_next;
    x_next.load(x, task.ldx, task.m, first_row, task.k, 0);
    w_next.load(w, task.ldw, task.n, first_column, task.k, 0);
    for (int64_t k = 0; k < task.k; k += kDepth) {
      __syncthreads();
      x_next.store(x_tile);
      w_next.store(w_tile);
      __syncthreads();
      const auto step = [&](int64_t at) {
        float rows[kRows], columns[kColumns];
        take(x_tile[at], row_of_tile, rows);
        take(w_tile[at], column_of_tile, columns);
        multiply(rows, columns, sums);
      };
      if (k + kDepth < task.k) {
        x_next.load(x, task.ldx, task.m, first_row, task.k, k + kDepth);
        w_next.load(w, task.ldw, task.n, first_column, task.k, k + kDepth);
#pragma unroll 4
        for (int at = 0; at < kDepth; ++at) step(at);
      } else {  // no zeros are added: fma(0, 0, -0) is +0
        for (int64_t at = 0; at < task.k - k; ++at) step(at);
      }
    }

    const auto row_of = [&](int i) { return first_row + i / 4 * 64 + row_of_tile + i % 4; };
    const auto column_of = [&](int j) { return first_column + j / 4 * 64 + column_of_tile + j % 4; };
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (column_of(j) >= task.n) continue;
#pragma unroll
      for (int i = 0; i < kRows; ++i) sums[i][j] = add_bias<T>(task, matrix, column_of(j), sums[i][j]);
    }
    activate_all(task.activation, sums);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        if (row_of(i) >= task.m || column_of(j) >= task.n) continue;
        store_result<T>(task, matrix, row_of(i), column_of(j), sums[i][j]);
      }
    }
  }
}

template <class T, int kTileRows>
Status run_tile(const Runtime& device, const GemmTask& task) {
  const int64_t tiles = ((task.m + kTileRows - 1) / kTileRows) * ((task.n + kTileColumns - 1) / kTileColumns);
  const dim3 grid(static_cast<unsigned>(tiles), 1, batch_grid(task));
  return launch(device, sl_linear_ffma<T, kTileRows>, grid, kThreads, 0, device.error, task);
}

}  // namespace

Status run_ffma(const Runtime& device, const GemmTask& task) {
  // High tiles read shared memory less often; low ones keep more multiprocessors busy.
  const int64_t high_tiles = ((task.m + 127) / 128) * ((task.n + kTileColumns - 1) / kTileColumns) * task.batch;
  if (task.dtype == DType::kF32 && high_tiles >= device.limits.sm_count) return run_tile<float, 128>(device, task);
  return with_float_type(task.dtype, [&](auto type) { return run_tile<decltype(type), 64>(device, task); });
}

}  // namespace silverlode::cuda
