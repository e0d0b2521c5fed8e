// Rows are listed by cluster (a stable sort of their numbers); then each cluster is summed in that order, a thread per
// dimension, as the CPU does: equal bits.
#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "backends/cuda/long_run.h"
#include "backends/cuda/stable_sort.h"
#include "ops/check.h"
#include "ops/update_centroids.h"

namespace silverlode::cuda {

namespace {

using Args = UpdateCentroids::Args;

constexpr unsigned kThreads = 128;
constexpr int kReseedThreads = 1024;
constexpr int kReseedWarps = kReseedThreads / 32;
constexpr int64_t kNone = INT64_MAX;
constexpr float kApart = 1.0f / 1024;

struct Scratch {
  int32_t* begins;    // [C] where each cluster's rows begin in the sorted order
  int32_t* ends;      // [C]
  uint64_t* largest;  // [C] keys for re-seeding
  SortScratch sort;

  Scratch(Carve& carve, const Args& args)
      : begins(carve.take<int32_t>(args.n_clusters)),
        ends(carve.take<int32_t>(args.n_clusters)),
        largest(carve.take<uint64_t>(args.n_clusters)),
        sort(carve, args.n_rows) {}
};

__device__ __forceinline__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__global__ void sl_kmeans_check_clusters(RunError* error, const char* op, Args args) {
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    const int64_t cluster = args.clusters[row];
    if (cluster < 0 || cluster >= args.n_clusters) raise(error, op, Fault::kCluster, cluster, args.n_clusters);
  }
}

// A cluster begins and ends where a neighbour has another one. Empty clusters have no such place: what is there stays.
__global__ void sl_kmeans_bounds(const RunError* error, Args args, const int32_t* order, int32_t* begins,
                                 int32_t* ends) {
  if (stopped(error)) return;
  for (int64_t i = first_item(); i < args.n_rows; i += item_stride()) {
    const int32_t cluster = args.clusters[order[i]];
    if (i == 0 || args.clusters[order[i - 1]] != cluster) begins[cluster] = static_cast<int32_t>(i);
    if (i + 1 == args.n_rows || args.clusters[order[i + 1]] != cluster) ends[cluster] = static_cast<int32_t>(i + 1);
  }
}

__global__ void __launch_bounds__(kThreads) sl_kmeans_means(const RunError* error, Args args, const int32_t* order,
                                                            const int32_t* begins, const int32_t* ends) {
  if (stopped(error)) return;
  for (int64_t cluster = blockIdx.x; cluster < args.n_clusters; cluster += gridDim.x) {
    const int32_t size = ends[cluster] - begins[cluster];
    if (threadIdx.x == 0) args.sizes[cluster] = size;
    if (size == 0) continue;  // re-seeded later
    const int32_t* members = order + begins[cluster];
    for (int64_t d = threadIdx.x; d < args.dim; d += kThreads) {
      double sum = 0;
#pragma unroll 4
      for (int32_t i = 0; i < size; ++i) sum += static_cast<double>(args.rows[members[i] * args.dim + d]);
      args.centroids[cluster * args.dim + d] = static_cast<float>(sum / static_cast<double>(size));
    }
  }
}

// Larger is a larger cluster, then a lower id. Never 0, which is a cluster that is not there yet.
__device__ __forceinline__ uint64_t size_key(int64_t size, int64_t cluster) {
  return (static_cast<uint64_t>(size) << 32) | static_cast<uint32_t>(~static_cast<uint32_t>(cluster));
}

// The largest key and the lowest value of the block, for every thread.
struct Extremes {
  uint64_t largest;
  int64_t lowest;
};
__device__ Extremes block_extremes(uint64_t largest, int64_t lowest) {
  auto& all = shared<Extremes[kReseedWarps], struct All>();
  for (int distance = 16; distance > 0; distance /= 2) {
    const uint64_t key = __shfl_xor_sync(0xffffffffu, largest, distance);
    const int64_t value = __shfl_xor_sync(0xffffffffu, lowest, distance);
    if (key > largest) largest = key;
    if (value < lowest) lowest = value;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) all[threadIdx.x / 32] = {largest, lowest};
  __syncthreads();
#pragma unroll 4
  for (const Extremes& of_warp : all) {
    if (of_warp.largest > largest) largest = of_warp.largest;
    if (of_warp.lowest < lowest) lowest = of_warp.lowest;
  }
  return {largest, lowest};
}

// One block: every split depends on those before it.
__global__ void __launch_bounds__(kReseedThreads) sl_kmeans_reseed(const RunError* error, Args args, uint64_t* keys) {
  if (stopped(error)) return;
  for (int64_t c = threadIdx.x; c < args.n_clusters; c += kReseedThreads) {
    keys[c] = args.sizes[c] > 0 ? size_key(args.sizes[c], c) : 0;
  }
  int64_t filled = -1;  // empty clusters up to this one are
  for (;;) {
    uint64_t largest = 0;
    int64_t lowest = kNone;
    for (int64_t c = threadIdx.x; c < args.n_clusters; c += kReseedThreads) {
      if (keys[c] > largest) largest = keys[c];
      if (c > filled && c < lowest && args.sizes[c] == 0) lowest = c;
    }
    const Extremes extremes = block_extremes(largest, lowest);
    if (extremes.lowest == kNone) return;
    const int64_t empty = extremes.lowest;
    const int64_t size = static_cast<int64_t>(extremes.largest >> 32);
    const int64_t split = static_cast<uint32_t>(~static_cast<uint32_t>(extremes.largest));
    float* first = args.centroids + split * args.dim;
    float* second = args.centroids + empty * args.dim;
    for (int64_t d = threadIdx.x; d < args.dim; d += kReseedThreads) {
      const float apart = d % 2 == 0 ? kApart : -kApart;
      const float value = first[d];
      second[d] = value * (1 - apart);
      first[d] = value * (1 + apart);
    }
    // A key is read by the thread that writes it here, a dimension likewise.
    if (split % kReseedThreads == threadIdx.x) keys[split] = size_key(size - size / 2, split);
    if (empty % kReseedThreads == threadIdx.x) keys[empty] = size_key(size / 2, empty);
    filled = empty;
  }
}

Status run(Context& context, const Args& args, Workspace workspace) {
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Scratch scratch(carve, args);
  const unsigned grid = grid_for(device, args.n_rows, kThreads);
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_kmeans_check_clusters, grid, kThreads, 0, device.error, UpdateCentroids::kName, args));
  const int32_t* order = nullptr;
  SILVERLODE_RETURN_IF_ERROR(stable_sort(device, args.clusters, args.n_rows, args.n_clusters, scratch.sort, &order));
  const size_t bytes = static_cast<size_t>(args.n_clusters) * sizeof(int32_t);
  for (int32_t* empty : {scratch.begins, scratch.ends}) {
    SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(empty, 0, bytes, device.stream), UpdateCentroids::kName));
  }
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_kmeans_bounds, grid, kThreads, 0, device.error, args, order, scratch.begins, scratch.ends));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_means, grid_for(device, args.n_clusters, 1, 16), kThreads, 0,
                                    device.error, args, order, scratch.begins, scratch.ends));
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_kmeans_reseed, 1, kReseedThreads, 0, device.error, args, scratch.largest));
  if (context.cancelled()) return make_error(Code::kAborted, "%s was cancelled", UpdateCentroids::kName);
  return ok_status();
}

size_t workspace(const Context&, const Args& args) {
  Carve carve;
  Scratch(carve, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<UpdateCentroids::Args> entry<UpdateCentroids>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cuda
