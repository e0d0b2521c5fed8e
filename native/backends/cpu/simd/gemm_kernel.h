// The matrix-product kernel on a vector type: register tiles of rows x outputs, lanes along outputs, so that every output
// is one fma chain over ascending k whatever the tile.
#pragma once

#include <cstring>
#include <utility>

#include "backends/cpu/simd/float_kernels.h"

namespace silverlode::cpu {

// One tile. Vector c of the outputs lies in panel c / (kPanel / kLanes) counted from `packed`; panels are `panel_stride`
// floats apart. bias and out point to the tile's first output.
template <class V, int kRows, int kWide>
inline void gemm_tile(const float* x, int64_t ldx, const float* packed, int64_t panel_stride, int64_t in_dim,
                      const float* bias, bool relu, float* out, int64_t ldo) {
  constexpr int kPerPanel = static_cast<int>(kPanel / V::kLanes);
  V sums[kRows][kWide];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < kWide; ++c) sums[r][c] = V(0.0f);
  }
  for (int64_t k = 0; k < in_dim; ++k) {
    V weights[kWide];
#pragma GCC unroll 16
    for (int c = 0; c < kWide; ++c) {
      weights[c] = V::load(packed + (c / kPerPanel) * panel_stride + k * kPanel + (c % kPerPanel) * V::kLanes);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V value(x[r * ldx + k]);
#pragma GCC unroll 16
      for (int c = 0; c < kWide; ++c) sums[r][c] = fma(value, weights[c], sums[r][c]);
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < kWide; ++c) {
    const V addend = bias != nullptr ? V::load(bias + c * V::kLanes) : V(0.0f);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      V y = sums[r][c];
      if (bias != nullptr) y = y + addend;
      if (relu) y = max(V(0.0f), y);
      y.store(out + r * ldo + c * V::kLanes);
    }
  }
}

// One tile of rows over the first `columns` outputs of a panel, rounded up to whole vectors.
template <class V, int kRows>
void gemm_panel_tile(const float* x, int64_t ldx, const float* packed, int64_t in_dim, const float* bias, bool relu,
                     float* out, int64_t ldo, int64_t columns) {
  constexpr int64_t kStep = V::kTileWide * V::kLanes;
  if constexpr (kStep == kPanel) {  // networks often end in a few outputs
    if (columns <= kPanel / 2) {
      gemm_tile<V, kRows, V::kTileWide / 2>(x, ldx, packed, 0, in_dim, bias, relu, out, ldo);
      return;
    }
  }
  for (int64_t n = 0; n < columns; n += kStep) {
    gemm_tile<V, kRows, V::kTileWide>(x, ldx, packed + n, 0, in_dim, bias == nullptr ? nullptr : bias + n, relu,
                                      out + n, ldo);
  }
}

// The tile functions for 1 to kTileRows rows.
template <class V, class Rows = std::make_index_sequence<V::kTileRows>>
struct GemmTiles;
template <class V, size_t... kIndex>
struct GemmTiles<V, std::index_sequence<kIndex...>> {
  using Tile = void (*)(const float*, int64_t, const float*, int64_t, const float*, bool, float*, int64_t, int64_t);
  static constexpr Tile kTable[] = {gemm_panel_tile<V, static_cast<int>(kIndex) + 1>...};
};

// All rows of one panel, or of its first columns, in tiles of nearly equal height.
template <class V>
void gemm_panel(const float* x, int64_t ldx, int64_t rows, const float* packed, int64_t in_dim, const float* bias,
                bool relu, float* out, int64_t ldo, int64_t columns = kPanel) {
  // Rows a multiple of 4 KiB apart share one set of the first-level cache, which holds 8 lines or more.
  const int64_t highest = ldx % 1024 == 0 && V::kTileRows > 8 ? 8 : V::kTileRows;
  int64_t tiles = (rows + highest - 1) / highest;
  for (int64_t row = 0; tiles > 0; --tiles) {
    const int64_t height = (rows - row + tiles - 1) / tiles;
    GemmTiles<V>::kTable[height - 1](x + row * ldx, ldx, packed, in_dim, bias, relu, out + row * ldo, ldo, columns);
    row += height;
  }
}

// The last panel when only `columns` of its outputs exist: computed in whole vectors, copied in part.
template <class V>
void gemm_partial_panel(const float* x, int64_t ldx, int64_t rows, const float* packed, int64_t in_dim,
                        const float* bias, bool relu, float* out, int64_t ldo, int64_t columns) {
  const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
  float whole_bias[kPanel] = {};
  if (bias != nullptr) std::memcpy(whole_bias, bias, bytes);
  float whole[V::kTileRows * kPanel];
  for (int64_t row = 0; row < rows; row += V::kTileRows) {
    const int64_t height = rows - row < V::kTileRows ? rows - row : V::kTileRows;
    gemm_panel<V>(x + row * ldx, ldx, height, packed, in_dim, bias == nullptr ? nullptr : whole_bias, relu, whole,
                  kPanel, columns);
    for (int64_t m = 0; m < height; ++m) std::memcpy(out + (row + m) * ldo, whole + m * kPanel, bytes);
  }
}

// FloatKernels::gemm_packed for activations that need no pass of their own.
template <class V>
void gemm_plain(const float* x, int64_t ldx, int64_t rows, const float* packed, const float* bias, int64_t in_dim,
                int64_t out_dim, float* y, int64_t ldy, bool relu) {
  constexpr int64_t kSingleColumns = V::kSingleWide * V::kLanes;  // a whole number of panels
  const auto bias_at = [&](int64_t n) { return bias == nullptr ? nullptr : bias + n; };
  int64_t n = 0;
  if (rows == 1) {  // the chains of one panel are too few to hide the latency of fma
    for (; n + kSingleColumns <= out_dim; n += kSingleColumns) {
      gemm_tile<V, 1, V::kSingleWide>(x, ldx, packed + n * in_dim, in_dim * kPanel, in_dim, bias_at(n), relu, y + n,
                                      ldy);
    }
  }
  for (; n + kPanel <= out_dim; n += kPanel) {
    gemm_panel<V>(x, ldx, rows, packed + n * in_dim, in_dim, bias_at(n), relu, y + n, ldy);
  }
  if (n < out_dim) {
    gemm_partial_panel<V>(x, ldx, rows, packed + n * in_dim, in_dim, bias_at(n), relu, y + n, ldy, out_dim - n);
  }
}

}  // namespace silverlode::cpu
