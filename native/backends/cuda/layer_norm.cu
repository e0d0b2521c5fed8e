#include "backends/cuda/backend.h"
#include "backends/cuda/device/block_scan.cuh"
#include "backends/cuda/launch.h"
#include "ops/layer_norm.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kWarps = 8;

// One warp per row. Sums are float64 like the CPU's but in the warp's order, so a result may differ from the CPU's in the
// last bit of its rounding to float32.
__global__ void sl_layer_norm(const RunError* error, LayerNorm::Args args) {
  if (stopped(error)) return;
  const int64_t lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWarps;
  const double count = static_cast<double>(args.dim);
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < args.rows; row += warps) {
    const float* x = args.x + row * args.dim;
    float* y = args.y + row * args.dim;
    double sum = 0;
    for (int64_t d = lane; d < args.dim; d += 32) sum += static_cast<double>(x[d]);
    const double mean = warp_sum(sum) / count;
    double squares = 0;
    for (int64_t d = lane; d < args.dim; d += 32) {
      const double difference = static_cast<double>(x[d]) - mean;
      squares += difference * difference;
    }
    const double deviation = sqrt(warp_sum(squares) / count + args.epsilon);
    for (int64_t d = lane; d < args.dim; d += 32) {
      float value = static_cast<float>((static_cast<double>(x[d]) - mean) / deviation);
      if (args.weight != nullptr) value *= args.weight[d];
      if (args.bias != nullptr) value += args.bias[d];
      y[d] = value;
    }
  }
}

Status run(Context& context, const LayerNorm::Args& args, Workspace) {
  if (args.rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  return launch(device, sl_layer_norm, grid_for(device, args.rows, kWarps), kWarps * 32, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<LayerNorm::Args> entry<LayerNorm>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
