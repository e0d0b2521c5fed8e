// A block's tile of x W^T on the float pipeline: every output is one fma chain over ascending k from 0, so for float32 it has
// the CPU's bits. 256 threads; a thread owns outputs in groups of 4 rows and 4 columns, the groups 64 apart.
#pragma once

#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

constexpr int kProductSide = 16;  // threads along each side of a tile
constexpr int kProductThreads = kProductSide * kProductSide;
constexpr int kProductColumns = 64;  // of a tile
constexpr int kProductDepth = 16;    // of k, between two barriers

// The next kProductDepth columns of kTile rows, on their way from global to shared memory. Beyond the matrix there are zeros.
template <class T, int kTile>
struct Fetched {
  static constexpr int kEach = kTile * kProductDepth / kProductThreads;
  float values[kEach];

  __device__ __forceinline__ void load(const T* from, int64_t ld, int64_t rows, int64_t first_row, int64_t k,
                                       int64_t first_k) {
    const int64_t column = first_k + threadIdx.x % kProductDepth;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t row = first_row + threadIdx.x / kProductDepth + i * (kProductThreads / kProductDepth);
      values[i] = row < rows && column < k ? to_float(from[row * ld + column]) : 0.0f;
    }
  }
  __device__ __forceinline__ void store(float (&tile)[kProductDepth][kTile + 4]) const {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      tile[threadIdx.x % kProductDepth][threadIdx.x / kProductDepth + i * (kProductThreads / kProductDepth)] =
          values[i];
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
__device__ __forceinline__ void accumulate(const float (&rows)[kRows], const float (&columns)[kColumns],
                                           float (&sums)[kRows][kColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) sums[i][j] = fmaf(rows[i], columns[j], sums[i][j]);
  }
}

// A thread's outputs of a tile of kTileRows rows and kProductColumns columns.
template <int kTileRows>
struct ProductTile {
  static constexpr int kRows = kTileRows / kProductSide;
  static constexpr int kColumns = kProductColumns / kProductSide;
  float sums[kRows][kColumns];

  static __device__ __forceinline__ int row(int i) { return i / 4 * 64 + threadIdx.x / kProductSide * 4 + i % 4; }
  static __device__ __forceinline__ int column(int j) { return j / 4 * 64 + threadIdx.x % kProductSide * 4 + j % 4; }

  // Rows of x from `first_row` on times rows of w from `first_column` on. Begins with a barrier; every thread calls it.
  template <class T>
  __device__ __forceinline__ void multiply(const T* x, int64_t ldx, int64_t rows, int64_t first_row, const T* w,
                                           int64_t ldw, int64_t columns, int64_t first_column, int64_t depth) {
    auto& x_tile = shared<float[kProductDepth][kTileRows + 4], struct XTile>();
    auto& w_tile = shared<float[kProductDepth][kProductColumns + 4], struct WTile>();
    for (auto& row_sums : sums) {
      for (float& sum : row_sums) sum = 0;
    }
    Fetched<T, kTileRows> x_next;
    Fetched<T, kProductColumns> w_next;
    x_next.load(x, ldx, rows, first_row, depth, 0);
    w_next.load(w, ldw, columns, first_column, depth, 0);
    for (int64_t k = 0; k < depth; k += kProductDepth) {
      __syncthreads();
      x_next.store(x_tile);
      w_next.store(w_tile);
      __syncthreads();
      const auto step = [&](int64_t at) {
        float row_values[kRows], column_values[kColumns];
        take(x_tile[at], row(0), row_values);
        take(w_tile[at], column(0), column_values);
        accumulate(row_values, column_values, sums);
      };
      if (k + kProductDepth < depth) {
        x_next.load(x, ldx, rows, first_row, depth, k + kProductDepth);
        w_next.load(w, ldw, columns, first_column, depth, k + kProductDepth);
#pragma unroll 4
        for (int at = 0; at < kProductDepth; ++at) step(at);
      } else {  // no zeros are added: fma(0, 0, -0) is +0
        for (int64_t at = 0; at < depth - k; ++at) step(at);
      }
    }
  }
};

}  // namespace silverlode::cuda
