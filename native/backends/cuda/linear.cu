#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/gemm.h"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

using Args = Linear::Args;

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

bool is_half(const Args& args) { return args.weight_dtype != DType::kF32; }

// Products of half weights take x in the weights' dtype.
struct Scratch {
  void* gemm;
  uint16_t* x;  // [rows, in_dim], only for half weights

  Scratch(Carve& carve, const Gemm& device_gemm, const Args& args)
      : gemm(carve.take<std::byte>(static_cast<int64_t>(device_gemm.workspace_bytes()))),
        x(carve.take<uint16_t>(is_half(args) ? args.rows * args.in_dim : 0)) {}
};

template <class T>
__global__ void sl_linear_narrow(const RunError* error, const float* x, T* y, int64_t n) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    y[i] = from_float<T>(x[i]);
  }
}

GemmTask task_of(const Args& args, const void* x) {
  GemmTask task;
  task.x = x;
  task.w = args.weight;
  task.bias = args.bias;
  task.y = args.y;
  task.m = args.rows, task.n = args.out_dim, task.k = args.in_dim;
  task.ldx = task.ldw = args.in_dim;
  task.ldy = args.out_dim;
  task.dtype = args.weight_dtype;
  task.activation = args.activation;
  return task;
}

// The weights are used as they are; preparing is choosing how to multiply, and a plan prepares only where there are bytes.
size_t prepared_bytes(const Args&) { return 1; }

Status prepare(Context& context, const Args& args, void*) {
  const Runtime& device = runtime(context);
  return device.gemm->prepare(device, task_of(args, args.x));
}

size_t workspace(const Context& context, const Args& args) {
  Carve carve;
  Scratch(carve, *runtime(context).gemm, args);
  return carve.bytes();
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.rows == 0 || args.out_dim == 0) return ok_status();
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Scratch scratch(carve, *device.gemm, args);
  if (!is_half(args)) return device.gemm->run(device, task_of(args, args.x), scratch.gemm);
  const int64_t n = args.rows * args.in_dim;
  const Status status = with_float_type(args.weight_dtype, [&](auto type) {
    using T = decltype(type);
    return launch(device, sl_linear_narrow<T>, grid_for(device, n, kThreads * kPerThread), kThreads, 0, device.error,
                  args.x, reinterpret_cast<T*>(scratch.x), n);
  });
  if (!status.ok()) return status;
  return device.gemm->run(device, task_of(args, scratch.x), scratch.gemm);
}

}  // namespace

OpEntry<Linear::Args> linear_entry() { return {workspace, run, prepared_bytes, prepare}; }

}  // namespace silverlode::cuda
