// k-means++ in groups, as on the CPU and with its numbers: a group of proposals is drawn from the distances known now, and each
// is accepted with probability (its distance now, counting those accepted before it) / (its distance when drawn), which is
// rejection sampling; all accepted ones share one pass over the rows. Products are fma chains over ascending d, sums are over
// fixed blocks of rows in order, random numbers are splitmix64's: the chosen rows are the CPU's.
//
// How many groups there are, only the data tells. The op belongs to publishing: it enqueues a few rounds, waits, and looks.
#include <limits>

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "backends/cuda/long_run.h"
#include "ops/check.h"
#include "ops/kmeans_seed.h"

namespace silverlode::cuda {

namespace {

using Args = KmeansSeed::Args;

constexpr int kThreads = 256;
constexpr int64_t kBlockRows = 1024;    // of one partial sum
constexpr int kGroup = 32;              // accepted at most between two passes over the rows
constexpr int kProposals = 2 * kGroup;  // drawn for a group
constexpr int kDepth = 32;              // of d, between two barriers
constexpr int kRounds = 8;              // enqueued between two looks
constexpr int kPairThreads = 512;
constexpr float kFar = std::numeric_limits<float>::max();

// What the rounds hand on, in device memory.
struct State {
  int64_t n_chosen;
  int64_t n_group;  // rows chosen last, which the next pass adds; 0 when there is nothing left to choose
  uint64_t random;
  int32_t group[kGroup];
};

struct Scratch {
  int64_t blocks;
  State* state;
  float* norms;        // [N] |x|²
  float* distances;    // [N] squared distance from the nearest centroid so far
  double* block_sums;  // [blocks] of distances
  bool* used;          // [N]

  Scratch(Carve& carve, const Args& args)
      : blocks((args.n_rows + kBlockRows - 1) / kBlockRows),
        state(carve.take<State>(1)),
        norms(carve.take<float>(args.n_rows)),
        distances(carve.take<float>(args.n_rows)),
        block_sums(carve.take<double>(blocks)),
        used(carve.take<bool>(args.n_rows)) {}
};

// [0, 1); `state` goes on.
__host__ __device__ inline double uniform(uint64_t& state) {
  uint64_t bits = state += 0x9E3779B97F4A7C15u;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((bits ^ (bits >> 31)) >> 11) * 0x1p-53;
}

__global__ void sl_kmeans_seed_first(const RunError* error, Args args, State* state) {
  if (stopped(error)) return;
  uint64_t random = args.seed;
  const int32_t row = static_cast<int32_t>(uniform(random) * static_cast<double>(args.n_rows));
  args.chosen[0] = row;
  state->n_chosen = 1;
  state->n_group = 1;
  state->random = random;
  state->group[0] = row;
}

// |x|² as an fma chain like every x·c, so that the distance of a row from itself is exactly 0.
__global__ void sl_kmeans_seed_norms(const RunError* error, Args args, float* norms, float* distances) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.n_rows; i += stride) {
    float sum = 0;
    for (int64_t d = 0; d < args.dim; ++d) sum = fmaf(args.rows[i * args.dim + d], args.rows[i * args.dim + d], sum);
    norms[i] = sum;
    distances[i] = kFar;
  }
}

// |x|² + (|c|² - 2x·c), not below 0.
__device__ __forceinline__ float distance_from(float norm, float product) {
  const float distance = norm + product;
  return distance > 0 ? distance : 0.0f;
}

// Lowers every row's distance to that from the nearest of the group's centroids, one thread per row; then sums each block of
// rows in order.
__global__ void __launch_bounds__(kThreads) sl_kmeans_seed_add(const RunError* error, Args args, Scratch scratch) {
  const State& state = *scratch.state;
  const int n_group = static_cast<int>(state.n_group);
  if (stopped(error) || n_group == 0) return;
  auto& x_tile = shared<float[kDepth][kThreads + 1], struct XTile>();
  auto& c_tile = shared<float4[kDepth][kGroup / 4], struct CTile>();
  auto& block_distances = shared<float[kBlockRows], struct Distances>();
  for (int64_t block = blockIdx.x; block < scratch.blocks; block += gridDim.x) {
    for (int part = 0; part < kBlockRows / kThreads; ++part) {
      const int64_t first = block * kBlockRows + part * kThreads;
      float products[kGroup] = {};
      for (int64_t d = 0; d < args.dim; d += kDepth) {
        const int depth = static_cast<int>(args.dim - d < kDepth ? args.dim - d : kDepth);
        __syncthreads();
        for (int i = threadIdx.x; i < kThreads * kDepth; i += kThreads) {
          const int64_t row = first + i / kDepth;
          const bool exists = row < args.n_rows && i % kDepth < depth;
          x_tile[i % kDepth][i / kDepth] = exists ? args.rows[row * args.dim + d + i % kDepth] : 0.0f;
        }
        for (int i = threadIdx.x; i < kGroup * kDepth; i += kThreads) {
          const bool exists = i / kDepth < n_group && i % kDepth < depth;
          const float value = exists ? args.rows[state.group[i / kDepth] * args.dim + d + i % kDepth] : 0.0f;
          reinterpret_cast<float*>(c_tile[i % kDepth])[i / kDepth] = -2.0f * value;
        }
        __syncthreads();
        for (int at = 0; at < depth; ++at) {
          const float x = x_tile[at][threadIdx.x];
#pragma unroll
          for (int c = 0; c < kGroup; c += 4) {
            const float4 four = c_tile[at][c / 4];
            products[c] = fmaf(x, four.x, products[c]);
            products[c + 1] = fmaf(x, four.y, products[c + 1]);
            products[c + 2] = fmaf(x, four.z, products[c + 2]);
            products[c + 3] = fmaf(x, four.w, products[c + 3]);
          }
        }
      }
      const int64_t row = first + threadIdx.x;
      float distance = 0;
      if (row < args.n_rows) {
        float nearest = kFar;  // rounding is monotone, so the smallest product gives the smallest distance
#pragma unroll
        for (int c = 0; c < kGroup; ++c) {
          if (c >= n_group) continue;
          const float product = products[c] + scratch.norms[state.group[c]];
          if (product < nearest) nearest = product;
        }
        const float now = distance_from(scratch.norms[row], nearest);
        distance = scratch.distances[row];
        if (now < distance) distance = now;
        scratch.distances[row] = distance;
      }
      block_distances[part * kThreads + threadIdx.x] = distance;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0;
      for (int i = 0; i < kBlockRows; ++i) sum += static_cast<double>(block_distances[i]);
      scratch.block_sums[block] = sum;
    }
    __syncthreads();
  }
}

// The row in which the running sum of distances exceeds `target`. Rounding may leave none; then a row near the end. Never a
// row at distance 0.
__device__ int32_t draw(const Args& args, const Scratch& scratch, double target) {
  int64_t last_block = 0;
  for (int64_t block = 0; block < scratch.blocks; ++block) {
    const double sum = scratch.block_sums[block];
    if (sum > 0) last_block = block;
    if (target < sum) break;
    target -= sum;
  }
  const int64_t first = last_block * kBlockRows;
  const int64_t end = args.n_rows < first + kBlockRows ? args.n_rows : first + kBlockRows;
  int64_t last = first;
  for (int64_t index = first; index < end; ++index) {
    const double distance = static_cast<double>(scratch.distances[index]);
    if (!(distance > 0)) continue;
    last = index;
    if (target < distance) break;
    target -= distance;
  }
  return static_cast<int32_t>(last);
}

// Draws and accepts the next centroids; one block.
__global__ void __launch_bounds__(kPairThreads)
    sl_kmeans_seed_choose(const RunError* error, Args args, Scratch scratch) {
  State& state = *scratch.state;
  const bool finished = state.n_group == 0;
  if (stopped(error) || finished) return;
  auto& total = shared<double, struct Total>();
  auto& proposals = shared<int32_t[kProposals], struct Proposals>();
  auto& accepted = shared<int[kGroup], struct Accepted>();              // positions in proposals
  auto& pairs = shared<float[kProposals][kProposals], struct Pairs>();  // |p_j|² - 2 p_i · p_j
  const uint64_t random = state.random;
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int64_t block = 0; block < scratch.blocks; ++block) sum += scratch.block_sums[block];
    total = sum;
  }
  __syncthreads();
  const bool all_chosen = state.n_chosen == args.n_clusters || !(total > 0);
  if (!all_chosen && threadIdx.x < kProposals) {
    uint64_t own =
        random + threadIdx.x * 0x9E3779B97F4A7C15u;  // splitmix64 counts, so a thread can start where it likes
    proposals[threadIdx.x] = draw(args, scratch, uniform(own) * total);
  }
  __syncthreads();
  for (int pair = threadIdx.x; !all_chosen && pair < kProposals * kProposals; pair += kPairThreads) {
    const float* left = args.rows + proposals[pair / kProposals] * args.dim;
    const float* right = args.rows + proposals[pair % kProposals] * args.dim;
    float product = 0;
    for (int64_t d = 0; d < args.dim; ++d) product = fmaf(left[d], -2.0f * right[d], product);
    pairs[pair / kProposals][pair % kProposals] = product + scratch.norms[proposals[pair % kProposals]];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  int64_t n = 0;
  uint64_t next = random + kProposals * 0x9E3779B97F4A7C15u;
  const int64_t left = args.n_clusters - state.n_chosen;
  const int64_t wanted = left < kGroup ? left : kGroup;
  for (int i = 0; !all_chosen && i < kProposals && n < wanted; ++i) {
    const float drawn = scratch.distances[proposals[i]];
    float now = drawn;
    for (int64_t a = 0; a < n; ++a) {
      const float distance = distance_from(scratch.norms[proposals[i]], pairs[i][accepted[a]]);
      if (distance < now) now = distance;
    }
    if (n > 0 && !(uniform(next) * static_cast<double>(drawn) < static_cast<double>(now))) continue;
    accepted[n] = i;
    state.group[n] = proposals[i];
    args.chosen[state.n_chosen + n] = proposals[i];
    ++n;
  }
  state.random = next;
  state.n_group = n;
  state.n_chosen += n;
}

// Fewer distinct rows than clusters: the rest are copies, so the lowest unused ones do. One thread; it looks at no more than
// n_clusters rows.
__global__ void sl_kmeans_seed_unused(const RunError* error, Args args, Scratch scratch) {
  if (stopped(error)) return;
  int64_t n_chosen = scratch.state->n_chosen;
  if (n_chosen == args.n_clusters) return;
  for (int64_t i = 0; i < n_chosen; ++i) scratch.used[args.chosen[i]] = true;
  for (int64_t index = 0; n_chosen < args.n_clusters; ++index) {
    if (!scratch.used[index]) args.chosen[n_chosen++] = static_cast<int32_t>(index);
  }
}

Status enqueue_round(const Runtime& device, const Args& args, const Scratch& scratch) {
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_seed_add, grid_for(device, scratch.blocks, 1), kThreads, 0,
                                    device.error, args, scratch));
  return launch(device, sl_kmeans_seed_choose, 1, kPairThreads, 0, device.error, args, scratch);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Scratch scratch(carve, args);
  // A run that has failed before does nothing here: then there is nothing left to choose.
  const cudaError_t cleared = cudaMemsetAsync(scratch.state, 0, sizeof(State), device.stream);
  SILVERLODE_RETURN_IF_ERROR(status_of(cleared, KmeansSeed::kName));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_seed_norms, grid_for(device, args.n_rows, kThreads), kThreads, 0,
                                    device.error, args, scratch.norms, scratch.distances));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_seed_first, 1, 1, 0, device.error, args, scratch.state));
  State state = {};
  do {
    for (int round = 0; round < kRounds; ++round) {
      SILVERLODE_RETURN_IF_ERROR(enqueue_round(device, args, scratch));
    }
    const cudaError_t error =
        cudaMemcpyAsync(&state, scratch.state, sizeof state, cudaMemcpyDeviceToHost, device.stream);
    SILVERLODE_RETURN_IF_ERROR(status_of(error, KmeansSeed::kName));
    SILVERLODE_RETURN_IF_ERROR(status_of(cudaStreamSynchronize(device.stream), KmeansSeed::kName));
    SILVERLODE_RETURN_IF_ERROR(step_done(context, KmeansSeed::kName,
                                         static_cast<double>(state.n_chosen) / static_cast<double>(args.n_clusters)));
  } while (state.n_group > 0 && state.n_chosen < args.n_clusters);
  const cudaError_t error =
      cudaMemsetAsync(scratch.used, 0, static_cast<size_t>(args.n_rows) * sizeof(bool), device.stream);
  SILVERLODE_RETURN_IF_ERROR(status_of(error, KmeansSeed::kName));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_kmeans_seed_unused, 1, 1, 0, device.error, args, scratch));
  return step_done(context, KmeansSeed::kName, 1);
}

size_t workspace(const Context&, const Args& args) {
  Carve carve;
  Scratch(carve, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<KmeansSeed::Args> entry<KmeansSeed>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cuda
