#include "backends/cuda/backend.h"
#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/launch.h"
#include "ops/embedding_bag.h"

namespace silverlode::cuda {

namespace {

using Args = EmbeddingBag::Args;

constexpr unsigned kThreads = 256;

__global__ void sl_embedding_check(RunError* error, const char* op, Args args) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t bag = first; bag < args.bags; bag += stride) {
    const int64_t offset = args.offsets[bag];
    const bool bad = bag == 0 ? offset != 0 : offset < args.offsets[bag - 1];
    if (bad || offset > args.n_ids) raise(error, op, Fault::kOffsets, bag, args.n_ids);
  }
  for (int64_t i = first; i < args.n_ids; i += stride) {
    const int64_t id = args.ids[i];
    if (id < 0 || id >= args.vocabulary) raise(error, op, Fault::kIndex, id, args.vocabulary);
  }
}

// One warp per bag and slice of 32 columns: rows are added in the order of ids, as the CPU does.
template <class T>
__global__ void sl_embedding_bag(const RunError* error, Args args) {
  if (stopped(error)) return;
  const T* table = static_cast<const T*>(args.table);
  const int64_t slices = (args.dim + 31) / 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * (kThreads / 32);
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  for (int64_t task = warp; task < args.bags * slices; task += warps) {
    const int64_t bag = task / slices;
    const int64_t column = task % slices * 32 + threadIdx.x % 32;
    const int64_t first = args.offsets[bag];
    const int64_t end = bag + 1 < args.bags ? args.offsets[bag + 1] : args.n_ids;
    if (column >= args.dim) continue;
    float sum = 0, total = 0;
    for (int64_t i = first; i < end; ++i) {
      const float value = to_float(table[args.ids[i] * args.dim + column]);
      if (args.weights == nullptr) {
        sum += value;
      } else {
        sum = fmaf(args.weights[i], value, sum);
        total += args.weights[i];
      }
    }
    if (args.weights == nullptr) total = static_cast<float>(end - first);
    if (args.mode == EmbeddingBag::Mode::kMean && end > first) sum /= total;
    args.y[bag * args.dim + column] = sum;
  }
}

Status run(Context& context, const Args& args, Workspace) {
  if (args.bags == 0 && args.n_ids > 0) {
    return make_error(Code::kInvalidArgument, "embedding_bag: %lld ids but no bags",
                      static_cast<long long>(args.n_ids));
  }
  if (args.bags == 0) return ok_status();
  const Runtime& device = runtime(context);
  const int64_t to_check = args.bags > args.n_ids ? args.bags : args.n_ids;
  const Status status = launch(device, sl_embedding_check, grid_for(device, to_check, kThreads), kThreads, 0,
                               device.error, EmbeddingBag::kName, args);
  if (!status.ok()) return status;
  const unsigned grid = grid_for(device, args.bags * ((args.dim + 31) / 32), kThreads / 32);
  return with_float_type(args.table_dtype, [&](auto type) {
    return launch(device, sl_embedding_bag<decltype(type)>, grid, kThreads, 0, device.error, args);
  });
}

}  // namespace

template <>
OpEntry<EmbeddingBag::Args> entry<EmbeddingBag>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
