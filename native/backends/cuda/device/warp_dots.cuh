// Exact int8 dot products of 16 rows with up to 8 kTiles queries by one warp, rows straight from global memory.
//
// Lane 4g + t holds, for every tile of 8 queries, the products of rows g and g + 8 with queries 2t and 2t + 1: the
// accumulator layout of mma.m16n8k32. The order of K within a dot product is free, so a lane's 16-byte loads of chunk t of
// its two rows are used as A fragments as they are, and the queries are read with the same permutation: words x and y of a
// chunk make one mma, z and w the next. A 32-byte remainder has 8-byte chunks and one mma.
#pragma once

#include "backends/cuda/device/ptx.cuh"
#include "ops/metric.h"

namespace silverlode::cuda {

constexpr int kTileRows = 16;    // rows of a warp
constexpr int kTileQueries = 8;  // queries of one mma
constexpr int kStepBytes = 64;   // of a row, between two looks at the queries
constexpr int kNarrowDim = 256;  // up to here |dot| <= 2^22, and int32 becomes float without a conversion

// Bytes of shared memory that `tiles` tiles of staged queries take.
constexpr size_t staged_bytes(int64_t dim, int64_t tiles) {
  return static_cast<size_t>((dim + kStepBytes - 1) / kStepBytes * kStepBytes * tiles * kTileQueries);
}

// Up to 8 kTiles queries: their vectors in global memory and, if staged, in shared memory in the order in which lanes read:
// [step][tile][query][chunk] of 16 bytes.
struct QueryTiles {
  const int8_t* vectors;    // [queries, dim]
  const uint32_t* members;  // which of them, in shared memory
  uint4* staged;
  int32_t n;  // of members
  int32_t tiles;
  int32_t dim;

  // 16 bytes at `k` + 16 chunk, or in the remainder 8 bytes at `k` + 8 chunk and zeros; queries that are not there are zero.
  __device__ uint4 load(int query, int k, int chunk) const {
    if (query >= n) return {0, 0, 0, 0};
    const int8_t* vector = vectors + static_cast<int64_t>(members[query]) * dim + k;
    if (k + kStepBytes <= dim) return reinterpret_cast<const uint4*>(vector)[chunk];
    const uint2 half = reinterpret_cast<const uint2*>(vector)[chunk];
    return {half.x, half.y, 0, 0};
  }
  template <bool kStaged>
  __device__ uint4 chunk(int tile, int query, int k, int chunk) const {
    if constexpr (!kStaged) return load(tile * kTileQueries + query, k, chunk);
    return staged[((k / kStepBytes * tiles + tile) * kTileQueries + query) * 4 + chunk];
  }
  // By all threads of the block; a barrier must follow.
  __device__ void stage() const {
    const int chunks = (dim + kStepBytes - 1) / kStepBytes * tiles * kTileQueries * 4;
    for (int i = static_cast<int>(threadIdx.x); i < chunks; i += static_cast<int>(blockDim.x)) {
      const int query = i / 4 % (tiles * kTileQueries);
      staged[i] = load(query, i / 4 / (tiles * kTileQueries) * kStepBytes, i % 4);
    }
  }
};

// How dots are computed: with tensor cores or dp4a, queries from shared or from global memory, narrow or any dimension.
template <bool kTensorCores, bool kStagedQueries, bool kNarrowDot>
struct DotPolicy {
  static constexpr bool kTensor = kTensorCores;
  static constexpr bool kStaged = kStagedQueries;

  // In a narrow dot the accumulator is the float 1.5 * 2^23 + dot: integer additions to its bits count in units of 1.
  static constexpr int32_t kStart = kNarrowDot ? 0x4b400000 : 0;
  static __device__ float to_float(int32_t accumulator) {
    if constexpr (kNarrowDot) return __int_as_float(accumulator) - 12582912.0f;
    return static_cast<float>(accumulator);
  }

  // Adds the products of kSteps steps from byte k.
  template <int kTiles, int kSteps>
  static __device__ __forceinline__ void add_steps(int32_t (&dots)[kTiles][4], const int8_t* low, const int8_t* high,
                                                   const QueryTiles& queries, int k) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    if constexpr (kTensorCores) {
      uint4 a[kSteps];
      uint4 b[kSteps];
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        a[s] = load_once(reinterpret_cast<const uint4*>(low + k + s * kStepBytes) + lane % 4);
        b[s] = load_once(reinterpret_cast<const uint4*>(high + k + s * kStepBytes) + lane % 4);
      }
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
#pragma unroll
        for (int j = 0; j < kTiles; ++j) {
          if (j >= queries.tiles) continue;
          const uint4 q = queries.chunk<kStaged>(j, lane / 4, k + s * kStepBytes, lane % 4);
          mma_m16n8k32_s8(dots[j], {a[s].x, b[s].x, a[s].y, b[s].y}, {q.x, q.y});
          mma_m16n8k32_s8(dots[j], {a[s].z, b[s].z, a[s].w, b[s].w}, {q.z, q.w});
        }
      }
    } else {
#pragma unroll 1
      for (int s = 0; s < kSteps; ++s) {
#pragma unroll 2
        for (int c = 0; c < 4; ++c) {
          const uint4 a = load_once(reinterpret_cast<const uint4*>(low + k + s * kStepBytes) + c);
          const uint4 b = load_once(reinterpret_cast<const uint4*>(high + k + s * kStepBytes) + c);
          add_products(dots, a, b, queries, k + s * kStepBytes, c);
        }
      }
    }
  }

  template <int kTiles>
  static __device__ __forceinline__ void add_remainder(int32_t (&dots)[kTiles][4], const int8_t* low,
                                                       const int8_t* high, const QueryTiles& queries, int k) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    if constexpr (kTensorCores) {
      const uint2 a = load_once(reinterpret_cast<const uint2*>(low + k) + lane % 4);
      const uint2 b = load_once(reinterpret_cast<const uint2*>(high + k) + lane % 4);
#pragma unroll
      for (int j = 0; j < kTiles; ++j) {
        if (j >= queries.tiles) continue;
        const uint4 q = queries.chunk<kStaged>(j, lane / 4, k, lane % 4);
        mma_m16n8k32_s8(dots[j], {a.x, b.x, a.y, b.y}, {q.x, q.y});
      }
    } else {
      for (int c = 0; c < 4; ++c) {
        const uint2 a = load_once(reinterpret_cast<const uint2*>(low + k) + c);
        const uint2 b = load_once(reinterpret_cast<const uint2*>(high + k) + c);
        add_products(dots, {a.x, a.y, 0, 0}, {b.x, b.y, 0, 0}, queries, k, c);
      }
    }
  }

  static __device__ __forceinline__ int32_t dot16(const uint4& a, const uint4& b, int32_t sum) {
    sum = __dp4a(static_cast<int>(a.x), static_cast<int>(b.x), sum);
    sum = __dp4a(static_cast<int>(a.y), static_cast<int>(b.y), sum);
    sum = __dp4a(static_cast<int>(a.z), static_cast<int>(b.z), sum);
    return __dp4a(static_cast<int>(a.w), static_cast<int>(b.w), sum);
  }

  template <int kTiles>
  static __device__ __forceinline__ void add_products(int32_t (&dots)[kTiles][4], const uint4& low, const uint4& high,
                                                      const QueryTiles& queries, int k, int chunk) {
    const int column = static_cast<int>(threadIdx.x % 4) * 2;
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      if (j >= queries.tiles) continue;
      const uint4 first = queries.chunk<kStaged>(j, column, k, chunk);
      const uint4 second = queries.chunk<kStaged>(j, column + 1, k, chunk);
      dots[j][0] = dot16(low, first, dots[j][0]);
      dots[j][1] = dot16(low, second, dots[j][1]);
      dots[j][2] = dot16(high, first, dots[j][2]);
      dots[j][3] = dot16(high, second, dots[j][3]);
    }
  }

  // `low` and `high` are the lane's rows g and g + 8; all lanes of the warp take part.
  template <int kTiles>
  static __device__ __forceinline__ void run(int32_t (&dots)[kTiles][4], const int8_t* low, const int8_t* high,
                                             const QueryTiles& queries) {
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
#pragma unroll
      for (int r = 0; r < 4; ++r) dots[j][r] = kStart;
    }
    int k = 0;
#pragma unroll 1  // one iteration has 4 loads of 16 bytes in flight per lane; more of them would spill
    for (; k + 2 * kStepBytes <= queries.dim; k += 2 * kStepBytes) add_steps<kTiles, 2>(dots, low, high, queries, k);
    if (k + kStepBytes <= queries.dim) {
      add_steps<kTiles, 1>(dots, low, high, queries, k);
      k += kStepBytes;
    }
    if (k < queries.dim) add_remainder(dots, low, high, queries, k);
  }
};

// What turns a dot into a score besides the row's scale and bias (ops/metric.h).
struct QueryScore {
  float scale;
  float norm;  // |q̂|², read for l2 only
};

// The bias of a row; -0 where there is none, since x + -0 is x for every x.
__device__ inline float row_bias(const float* biases, int64_t row) { return biases == nullptr ? -0.0f : biases[row]; }

__device__ inline float finish_score(float dot, float row_scale, float bias, const QueryScore& query, bool l2) {
  const float score = scaled_float_dot(dot, row_scale, query.scale) + bias;
  return l2 ? l2_score(score, query.norm) : score;
}

// |q̂|² by a whole warp, the same in every lane.
__device__ inline float warp_query_norm(const int8_t* query, int64_t dim, float scale) {
  int64_t squares = 0;
  for (int64_t d = threadIdx.x % 32; d < dim; d += 32) squares += int32_t{query[d]} * int32_t{query[d]};
  for (int step = 16; step > 0; step /= 2) squares += __shfl_xor_sync(0xffffffffu, squares, step);
  return dequantized_norm(squares, scale);
}

}  // namespace silverlode::cuda
