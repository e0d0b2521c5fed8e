#include "backends/cuda/backend.h"
#include "backends/cuda/device/thread_math.cuh"
#include "backends/cuda/launch.h"
#include "ops/elementwise.h"

namespace silverlode::cuda {

namespace {

using Function = Elementwise::Function;

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

__global__ void sl_elementwise_activate(const RunError* error, const float* a, float* y, int64_t n,
                                        Activation activation) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    y[i] = activate(a[i], activation);
  }
}

// Most tensors have fewer than 2^32 elements, and 64-bit divisions cost many instructions.
__device__ int64_t quotient_of(int64_t i, int64_t divisor) {
  if (((i | divisor) >> 32) != 0) return i / divisor;
  return static_cast<uint32_t>(i) / static_cast<uint32_t>(divisor);
}

__device__ int64_t remainder_of(int64_t i, int64_t period) {
  if (((i | period) >> 32) != 0) return i % period;
  return static_cast<uint32_t>(i) % static_cast<uint32_t>(period);
}

// y = a op b; b has one number for `repeat` elements of a, or is repeated with `period`.
template <bool kMultiply>
__global__ void sl_elementwise_combine(const RunError* error, const float* a, const float* b, float* y, int64_t n,
                                       int64_t period, int64_t repeat) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const float right = b[repeat > 1 ? quotient_of(i, repeat) : period == n ? i : remainder_of(i, period)];
    y[i] = kMultiply ? a[i] * right : a[i] + right;
  }
}

Status run(Context& context, const Elementwise::Args& args, Workspace) {
  if (args.elements == 0) return ok_status();
  const Runtime& device = runtime(context);
  const unsigned grid = grid_for(device, args.elements, kThreads * kPerThread);
  if (args.b == nullptr) {
    return launch(device, sl_elementwise_activate, grid, kThreads, 0, device.error, args.a, args.y, args.elements,
                  activation_of(args.function));
  }
  const auto kernel =
      args.function == Function::kMultiply ? sl_elementwise_combine<true> : sl_elementwise_combine<false>;
  return launch(device, kernel, grid, kThreads, 0, device.error, args.a, args.b, args.y, args.elements, args.b_elements,
                args.repeat);
}

}  // namespace

template <>
OpEntry<Elementwise::Args> entry<Elementwise>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
