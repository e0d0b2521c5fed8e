// Deferred acceptance (Gale and Shapley) in rounds: all rows ask at once, every cluster that too many ask keeps the `cap` best,
// the others go on to their next choice, until nobody is refused. The stable matching does not depend on the order of asking,
// so it is the CPU's. A cluster's worst kept row is found without sorting: 8 bits of the keys at a time, by counting.
//
// How many rounds there are, only the data tells. The op belongs to publishing: it enqueues a few, waits, and looks.
#include <limits>

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/device/block_scan.cuh"
#include "backends/cuda/launch.h"
#include "backends/cuda/long_run.h"
#include "backends/cuda/stable_sort.h"
#include "core/order.h"
#include "ops/balance_clusters.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

using Args = BalanceClusters::Args;

constexpr unsigned kThreads = 256;
constexpr int kDigits = 256;
constexpr int kKeyBits = 64;
constexpr int kDigitBits = 8;
constexpr int kRounds = 4;  // enqueued between two looks
constexpr int kFillThreads = 1024;

// What the rounds hand on, in device memory.
struct State {
  uint32_t refused;  // rows, in this round and in the last one of a look
  uint32_t waiting;  // rows that found all choices full
};

struct Scratch {
  State* state;
  int32_t* loads;    // [C] rows that ask a cluster
  int32_t* keep;     // [C] rows still to be found among the best; 0 for a cluster that takes all
  RankKey* worst;    // [C] key of the worst kept row, as far as its digits are known
  uint32_t* counts;  // [C, 256] of a digit
  int32_t* placed;   // [N] 0 for a row without a place, else 1
  SortScratch sort;

  Scratch(Carve& carve, const Args& args)
      : state(carve.take<State>(1)),
        loads(carve.take<int32_t>(args.n_clusters)),
        keep(carve.take<int32_t>(args.n_clusters)),
        worst(carve.take<RankKey>(args.n_clusters)),
        counts(carve.take<uint32_t>(args.n_clusters * kDigits)),
        placed(carve.take<int32_t>(args.n_rows)),
        sort(carve, args.n_rows) {}
};

__device__ __forceinline__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__global__ void sl_kmeans_check_nearest(RunError* error, const char* op, Args args) {
  for (int64_t i = first_item(); i < args.n_rows * args.choices; i += item_stride()) {
    const int64_t cluster = args.nearest[i];
    if (cluster < -1 || cluster >= args.n_clusters) raise(error, op, Fault::kCluster, cluster, args.n_clusters);
  }
}

// While rows ask, args.clusters holds the choice that a row asks; -1 when it has none left.
__device__ __forceinline__ bool is_choice(const Args& args, int64_t row, int64_t choice) {
  return choice < args.choices && args.nearest[row * args.choices + choice] >= 0;
}

// What a row would lose by moving on; larger stays.
__device__ __forceinline__ RankKey key_of(const Args& args, int64_t row, int64_t choice) {
  const float* scores = args.scores + row * args.choices + choice;
  const float loss = is_choice(args, row, choice + 1) ? scores[0] - scores[1] : std::numeric_limits<float>::infinity();
  return make_key(loss, static_cast<uint32_t>(row));
}

__global__ void sl_balance_start(const RunError* error, Args args) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    args.clusters[row] = is_choice(args, row, 0) ? 0 : -1;
  }
}

__global__ void sl_balance_ask(const RunError* error, Args args, Scratch scratch) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    const int64_t choice = args.clusters[row];
    if (choice >= 0) atomicAdd(&scratch.loads[args.nearest[row * args.choices + choice]], 1);
  }
}

__global__ void sl_balance_limit(const RunError* error, Args args, Scratch scratch) {
  if (stopped(error)) return;
  if (first_item() == 0) scratch.state->refused = 0;
  for (int64_t cluster = first_item(); cluster < args.n_clusters; cluster += item_stride()) {
    scratch.keep[cluster] = scratch.loads[cluster] > args.cap ? static_cast<int32_t>(args.cap) : 0;
    scratch.worst[cluster] = 0;
  }
}

// Counts the next digit of the keys that agree with the digits known so far.
__global__ void sl_balance_count(const RunError* error, Args args, Scratch scratch, int shift) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    const int64_t choice = args.clusters[row];
    if (choice < 0) continue;
    const int64_t cluster = args.nearest[row * args.choices + choice];
    if (scratch.keep[cluster] == 0) continue;
    const RankKey key = key_of(args, row, choice);
    const int above = shift + kDigitBits;
    if (above < kKeyBits && key >> above != scratch.worst[cluster] >> above) continue;
    atomicAdd(&scratch.counts[cluster * kDigits + (key >> shift & (kDigits - 1))], 1u);
  }
}

// Fixes that digit: the one in which the last row to keep is, from the largest downwards.
__global__ void sl_balance_fix(const RunError* error, Args args, Scratch scratch, int shift) {
  if (stopped(error)) return;
  for (int64_t cluster = first_item(); cluster < args.n_clusters; cluster += item_stride()) {
    uint32_t keep = static_cast<uint32_t>(scratch.keep[cluster]);
    if (keep == 0) continue;
    const uint32_t* counts = scratch.counts + cluster * kDigits;
    int digit = kDigits - 1;
    for (; digit > 0 && counts[digit] < keep; --digit) keep -= counts[digit];
    scratch.worst[cluster] |= static_cast<RankKey>(digit) << shift;
    scratch.keep[cluster] = static_cast<int32_t>(keep);
  }
}

__global__ void sl_balance_refuse(const RunError* error, Args args, Scratch scratch) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    const int64_t choice = args.clusters[row];
    if (choice < 0) continue;
    const int64_t cluster = args.nearest[row * args.choices + choice];
    if (scratch.keep[cluster] == 0 || key_of(args, row, choice) >= scratch.worst[cluster]) continue;
    args.clusters[row] = is_choice(args, row, choice + 1) ? static_cast<int32_t>(choice + 1) : -1;
    atomicAdd(&scratch.state->refused, 1u);
  }
}

// Choices become clusters.
__global__ void sl_balance_settle(const RunError* error, Args args, Scratch scratch) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < args.n_rows; row += item_stride()) {
    const int64_t choice = args.clusters[row];
    if (choice >= 0) args.clusters[row] = args.nearest[row * args.choices + choice];
    scratch.placed[row] = choice >= 0 ? 1 : 0;
    if (choice < 0) atomicAdd(&scratch.state->waiting, 1u);
  }
}

// The rows without a place, which come first in `order`, to the least loaded clusters, lowest id: level by level, every cluster
// below the level takes one row, in the order of ids. One block.
__global__ void __launch_bounds__(kFillThreads)
    sl_balance_fill(const RunError* error, Args args, Scratch scratch, const int32_t* order) {
  if (stopped(error)) return;
  auto& least = shared<int32_t, struct Least>();
  const int64_t waiting = scratch.state->waiting;
  int64_t done = 0;
  while (done < waiting) {
    if (threadIdx.x == 0) least = INT32_MAX;
    __syncthreads();
    for (int64_t c = threadIdx.x; c < args.n_clusters; c += kFillThreads) atomicMin(&least, scratch.loads[c]);
    __syncthreads();
    const int32_t level = least;
    for (int64_t first = 0; first < args.n_clusters; first += kFillThreads) {
      const int64_t cluster = first + threadIdx.x;
      const bool takes = cluster < args.n_clusters && scratch.loads[cluster] == level;
      const auto scan = block_scan<kFillThreads>(takes ? 1 : 0);
      const int64_t place = done + scan.before;
      if (takes && place < waiting) {
        args.clusters[order[place]] = static_cast<int32_t>(cluster);
        ++scratch.loads[cluster];
      }
      done += scan.total;
    }
    __syncthreads();
  }
}

// One round of asking and refusing. When nobody was refused the loads are those of the matching.
Status enqueue_round(const Runtime& device, const Args& args, const Scratch& scratch) {
  const unsigned rows = grid_for(device, args.n_rows, kThreads);
  const unsigned clusters = grid_for(device, args.n_clusters, kThreads);
  const size_t load_bytes = static_cast<size_t>(args.n_clusters) * sizeof(int32_t);
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(scratch.loads, 0, load_bytes, device.stream), BalanceClusters::kName));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_balance_ask, rows, kThreads, 0, device.error, args, scratch));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_balance_limit, clusters, kThreads, 0, device.error, args, scratch));
  for (int shift = kKeyBits - kDigitBits; shift >= 0; shift -= kDigitBits) {
    SILVERLODE_RETURN_IF_ERROR(
        status_of(cudaMemsetAsync(scratch.counts, 0, load_bytes * kDigits, device.stream), BalanceClusters::kName));
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_balance_count, rows, kThreads, 0, device.error, args, scratch, shift));
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_balance_fix, clusters, kThreads, 0, device.error, args, scratch, shift));
  }
  return launch(device, sl_balance_refuse, rows, kThreads, 0, device.error, args, scratch);
}

Status read_state(const Runtime& device, const Scratch& scratch, State& state) {
  const cudaError_t error = cudaMemcpyAsync(&state, scratch.state, sizeof state, cudaMemcpyDeviceToHost, device.stream);
  SILVERLODE_RETURN_IF_ERROR(status_of(error, BalanceClusters::kName));
  return status_of(cudaStreamSynchronize(device.stream), BalanceClusters::kName);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.n_rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Scratch scratch(carve, args);
  const unsigned grid = grid_for(device, args.n_rows, kThreads);
  // A run that has failed before does nothing here: then nobody is refused.
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(scratch.state, 0, sizeof(State), device.stream), BalanceClusters::kName));
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_kmeans_check_nearest, grid, kThreads, 0, device.error, BalanceClusters::kName, args));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_balance_start, grid, kThreads, 0, device.error, args));
  State state;
  do {
    for (int round = 0; round < kRounds; ++round) {
      SILVERLODE_RETURN_IF_ERROR(enqueue_round(device, args, scratch));
    }
    SILVERLODE_RETURN_IF_ERROR(read_state(device, scratch, state));
    if (context.cancelled()) return make_error(Code::kAborted, "%s was cancelled", BalanceClusters::kName);
  } while (state.refused > 0);
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_balance_settle, grid, kThreads, 0, device.error, args, scratch));
  SILVERLODE_RETURN_IF_ERROR(read_state(device, scratch, state));
  if (state.waiting == 0) return ok_status();
  const int32_t* order = nullptr;
  SILVERLODE_RETURN_IF_ERROR(stable_sort(device, scratch.placed, args.n_rows, 2, scratch.sort, &order));
  return launch(device, sl_balance_fill, 1, kFillThreads, 0, device.error, args, scratch, order);
}

size_t workspace(const Context&, const Args& args) {
  Carve carve;
  Scratch(carve, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<BalanceClusters::Args> entry<BalanceClusters>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cuda
