#include "ops/rescore.h"

#include <limits>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/ptx.cuh"
#include "backends/cuda/launch.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

constexpr int kWarps = 4;
static_assert(Rescore::kLanes == 32, "a lane has a partial sum");

__global__ void sl_rescore_check(RunError* error, const char* op, const int32_t* index, int64_t n, int64_t rows) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    if (index[i] < -1 || index[i] >= rows) raise(error, op, Fault::kCandidate, index[i], rows);
  }
}

__device__ float element(const Rescore::Args& args, int64_t at) {
  return args.half ? widen_f16(static_cast<const uint16_t*>(args.vectors)[at])
                   : static_cast<const float*>(args.vectors)[at];
}

// The partial sums of all lanes, the upper half added to the lower one until one is left: in lane 0.
template <class Value>
__device__ Value total(Value sum) {
  for (int half = 16; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffffu, sum, half);
  return sum;
}

// A warp per candidate, a lane per partial sum.
__global__ void __launch_bounds__(32 * kWarps) sl_rescore(const RunError* error, Rescore::Args args) {
  if (stopped(error)) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWarps;
  const int64_t n = args.batch * args.candidates;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; i < n; i += warps) {
    float best = -std::numeric_limits<float>::infinity();
    if (args.index[i] >= 0) {
      const int64_t row = args.index[i] * args.dim;
      const int64_t request = i / args.candidates;
      double length = 0;
      if (args.metric == Metric::kCosine) {
        for (int64_t d = lane; d < args.dim; d += 32) {
          const double value = static_cast<double>(element(args, row + d));
          length += value * value;
        }
        length = sqrt(total(length));
      }
      for (int64_t h = request * args.heads; h < (request + 1) * args.heads; ++h) {
        const float* user = args.users + h * args.dim;
        float sum = 0.0f;
        for (int64_t d = lane; d < args.dim; d += 32) {
          const float value = element(args, row + d);
          const float difference = user[d] - value;
          const float term = args.metric == Metric::kL2 ? difference * difference : user[d] * value;
          sum += term;
        }
        const float score = Rescore::score_of(args.metric, total(sum), length);
        best = score > best ? score : best;
      }
    }
    if (lane == 0) args.scores[i] = best;
  }
}

Status run(Context& context, const Rescore::Args& args, Workspace) {
  const int64_t n = args.batch * args.candidates;
  if (n == 0) return ok_status();
  const Runtime& device = runtime(context);
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_rescore_check, grid_for(device, n, 256, 16), 256, 0, device.error,
                                    Rescore::kName, args.index, n, args.rows));
  return launch(device, sl_rescore, grid_for(device, n, kWarps), 32 * kWarps, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<Rescore::Args> entry<Rescore>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
