#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "ops/rotate.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 128;
constexpr unsigned kWarps = kThreads / 32;

// A step between elements of two lanes: both get the sum, or the first one minus the second, where they belong.
__device__ float crossed(float own, unsigned lane, int h) {
  const float other = __shfl_xor_sync(0xffffffffu, own, h);
  return (lane & static_cast<unsigned>(h)) == 0 ? own + other : other - own;
}

// A lane keeps the elements of its number modulo 32, so steps of 32 and more stay within a lane and smaller ones within 32
// neighbours.
__device__ void hadamard(float* x, int64_t size, unsigned lane) {
  for (int64_t h = size / 2; h >= 32; h /= 2) {
    for (int64_t pair = lane; pair < size / 2; pair += 32) {
      float* a = x + pair / h * 2 * h + pair % h;
      const float first = a[0], second = a[h];
      a[0] = first + second;
      a[h] = first - second;
    }
  }
  const float scale = Rotate::block_scale(size);
  for (int64_t d = lane; d < size; d += 32) {
    float value = x[d];
    for (int h = 16; h >= 1; h /= 2) value = crossed(value, lane, h);
    x[d] = value * scale;
  }
}

__device__ double product(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// A warp per row. Every lane sums in the same order, ascending, which costs no more than one lane that others wait for.
__global__ void sl_rotate(const RunError* error, Rotate::Args args) {
  if (stopped(error)) return;
  const unsigned lane = threadIdx.x % 32;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < args.rows; row += stride) {
    const float* values = args.values + row * args.dim;
    float* rotated = args.rotated + row * args.padded_dim;
    const bool centre = args.subtract == Rotate::Subtract::kMean;
    const bool align = args.subtract == Rotate::Subtract::kAligned;
    double along = 0;
    if (args.mean != nullptr && !centre) along = product(values, args.mean, args.dim);
    float factor = 1.0f;
    if (align) {
      const double mean = product(args.mean, args.mean, args.dim);
      const double own = product(values, values, args.dim);
      if (mean != 0) factor = Rotate::aligned_factor(along / mean, sqrt(own / mean));
      along = factor == 0.0f ? 0 : along / static_cast<double>(factor);
    }
    for (int64_t d = lane; d < args.padded_dim; d += 32) {
      float v = d < args.dim && factor != 0.0f ? values[d] : 0.0f;
      if (d < args.dim && align && factor != 0.0f) v = v / factor - args.mean[d];
      if (d < args.dim && centre) v -= args.mean[d];
      rotated[d] = v;
    }
    if (centre) {
      __syncwarp();
      along = product(rotated, args.mean, args.dim);
      __syncwarp();
    }
    if (lane == 0) args.offsets[row] = static_cast<float>(along);
    if (lane == 0) args.factors[row] = factor;
    for (int64_t d = lane; d < args.dim; d += 32) rotated[d] *= static_cast<float>(args.signs[d]);
    for (int64_t begin = 0; begin < args.padded_dim;) {
      const int64_t size = Rotate::block_size(args.padded_dim - begin);
      hadamard(rotated + begin, size, lane);
      begin += size;
    }
  }
}

Status run(Context& context, const Rotate::Args& args, Workspace) {
  if (args.rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  return launch(device, sl_rotate, grid_for(device, args.rows, kWarps, 16), kThreads, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<Rotate::Args> entry<Rotate>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
