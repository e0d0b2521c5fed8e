// A block takes a tile of rows past all centroids; products stay in registers, and only the nearest centroids are written, so
// the matrix of rows x centroids never exists. Every product is the CPU's fma chain, and so is every score.
#include <limits>

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/device/block_product.cuh"
#include "backends/cuda/long_run.h"
#include "ops/assign_clusters.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

using Args = AssignClusters::Args;

constexpr int kTileRows = 64;
constexpr unsigned kNormThreads = 64;
constexpr int64_t kStepWork = int64_t{1} << 36;  // multiply-adds of a launch: some milliseconds
constexpr float kInfinity = std::numeric_limits<float>::infinity();

using Tile = ProductTile<kTileRows>;

// -|c|²/2, accumulated in float64, ascending.
__global__ void sl_kmeans_half_norms(const RunError* error, const float* centroids, int64_t n, int64_t dim,
                                     float* half_norms) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; c < n; c += stride) {
    const float* centroid = centroids + c * dim;
    double sum = 0;
    for (int64_t d = 0; d < dim; ++d) sum += static_cast<double>(centroid[d]) * static_cast<double>(centroid[d]);
    half_norms[c] = -static_cast<float>(sum / 2);
  }
}

// The scores of a tile of centroids for the block's rows; -Infinity beyond the last centroid and for NaN.
__device__ __forceinline__ void score_tile(const Args& args, const float* half_norms, int64_t first_row,
                                           int64_t first_cluster, Tile& tile) {
  tile.multiply(args.rows, args.dim, args.n_rows, first_row, args.centroids, args.dim, args.n_clusters, first_cluster,
                args.dim);
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    const int64_t cluster = first_cluster + Tile::column(j);
    const float half_norm = cluster < args.n_clusters ? half_norms[cluster] : -kInfinity;
#pragma unroll
    for (int i = 0; i < Tile::kRows; ++i) {
      const float score = tile.sums[i][j] + half_norm;
      tile.sums[i][j] = score == score && cluster < args.n_clusters ? score : -kInfinity;
    }
  }
}

// Whether (score, cluster) comes before (other_score, other): nearer, or as near with a lower id.
__device__ __forceinline__ bool is_nearer(float score, int32_t cluster, float other_score, int32_t other) {
  return score > other_score || (score == other_score && cluster < other);
}

// The nearest centroid alone. The threads that share a row are neighbours in a warp.
__global__ void __launch_bounds__(kProductThreads, 2)
    sl_kmeans_assign(const RunError* error, Args args, const float* half_norms, int64_t begin, int64_t end) {
  if (stopped(error)) return;
  for (int64_t first_row = begin + static_cast<int64_t>(blockIdx.x) * kTileRows; first_row < end;
       first_row += static_cast<int64_t>(gridDim.x) * kTileRows) {
    float best[Tile::kRows];
    int32_t nearest[Tile::kRows];
    for (int i = 0; i < Tile::kRows; ++i) best[i] = -kInfinity, nearest[i] = INT32_MAX;
    for (int64_t first = 0; first < args.n_clusters; first += kProductColumns) {
      Tile tile;
      score_tile(args, half_norms, first_row, first, tile);
#pragma unroll
      for (int i = 0; i < Tile::kRows; ++i) {
#pragma unroll
        for (int j = 0; j < Tile::kColumns; ++j) {
          const int64_t cluster = first + Tile::column(j);
          if (cluster >= args.n_clusters) continue;
          if (!is_nearer(tile.sums[i][j], static_cast<int32_t>(cluster), best[i], nearest[i])) continue;
          best[i] = tile.sums[i][j];
          nearest[i] = static_cast<int32_t>(cluster);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < Tile::kRows; ++i) {
      for (int distance = kProductSide / 2; distance > 0; distance /= 2) {
        const float score = __shfl_xor_sync(0xffffffffu, best[i], distance);
        const int32_t cluster = __shfl_xor_sync(0xffffffffu, nearest[i], distance);
        if (!is_nearer(score, cluster, best[i], nearest[i])) continue;
        best[i] = score;
        nearest[i] = cluster;
      }
      const int64_t row = first_row + Tile::row(i);
      if (threadIdx.x % kProductSide != 0 || row >= end) continue;
      args.clusters[row] = nearest[i] == INT32_MAX ? -1 : nearest[i];
      args.scores[row] = best[i];
    }
  }
}

// The sorted list of the m nearest centroids of one row; ids arrive in ascending order, so a tie never moves an entry.
struct Nearest {
  int32_t* ids;
  float* scores;
  int64_t m;

  __device__ __forceinline__ void offer(float score, int64_t id) const {
    if (id >= m && !(score > scores[m - 1])) return;
    int64_t slot = id < m ? id : m - 1;
    for (; slot > 0 && scores[slot - 1] < score; --slot) {
      scores[slot] = scores[slot - 1];
      ids[slot] = ids[slot - 1];
    }
    scores[slot] = score;
    ids[slot] = static_cast<int32_t>(id);
  }
};

// The m nearest: the scores of a tile go through shared memory to one thread per row, which keeps the list.
__global__ void __launch_bounds__(kProductThreads, 2)
    sl_kmeans_assign_several(const RunError* error, Args args, const float* half_norms, int64_t begin, int64_t end) {
  if (stopped(error)) return;
  auto& scores = shared<float[kTileRows][kProductColumns + 1], struct Scores>();
  const int owner = static_cast<int>(threadIdx.x);
  for (int64_t first_row = begin + static_cast<int64_t>(blockIdx.x) * kTileRows; first_row < end;
       first_row += static_cast<int64_t>(gridDim.x) * kTileRows) {
    const int64_t row = first_row + owner;
    const bool owns = owner < kTileRows && row < end;
    const Nearest list = {args.clusters + row * args.nearest, args.scores + row * args.nearest, args.nearest};
    for (int64_t slot = 0; owns && slot < args.nearest; ++slot) {
      list.ids[slot] = -1;
      list.scores[slot] = -kInfinity;
    }
    for (int64_t first = 0; first < args.n_clusters; first += kProductColumns) {
      Tile tile;
      score_tile(args, half_norms, first_row, first, tile);
      for (int i = 0; i < Tile::kRows; ++i) {
        for (int j = 0; j < Tile::kColumns; ++j) scores[Tile::row(i)][Tile::column(j)] = tile.sums[i][j];
      }
      __syncthreads();
      const int64_t left = args.n_clusters - first;
      const int width = static_cast<int>(left < kProductColumns ? left : kProductColumns);
      for (int i = 0; owns && i < width; ++i) list.offer(scores[owner][i], first + i);
      __syncthreads();
    }
  }
}

size_t workspace(const Context&, const Args& args) { return static_cast<size_t>(args.n_clusters) * sizeof(float); }

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.n_rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  float* half_norms = static_cast<float*>(workspace.data);
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_half_norms, grid_for(device, args.n_clusters, kNormThreads),
                                    kNormThreads, 0, device.error, args.centroids, args.n_clusters, args.dim,
                                    half_norms));
  const auto kernel = args.nearest == 1 ? sl_kmeans_assign : sl_kmeans_assign_several;
  const int64_t row_work = (args.n_clusters + 1) * (args.dim + 1);
  const int64_t step = (kStepWork / row_work / kTileRows + 1) * kTileRows;
  for (int64_t begin = 0; begin < args.n_rows; begin += step) {
    const int64_t end = begin + step < args.n_rows ? begin + step : args.n_rows;
    const unsigned grid = grid_for(device, end - begin, kTileRows);
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, kernel, grid, kProductThreads, 0, device.error, args, half_norms, begin, end));
    SILVERLODE_RETURN_IF_ERROR(
        step_done(context, AssignClusters::kName, static_cast<double>(end) / static_cast<double>(args.n_rows)));
  }
  return ok_status();
}

}  // namespace

template <>
OpEntry<AssignClusters::Args> entry<AssignClusters>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cuda
