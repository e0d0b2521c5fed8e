#include "ops/linear.h"

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/convert.h"
#include "backends/cuda/gemm.h"

namespace silverlode::cuda {

namespace {

using Args = Linear::Args;

bool is_half(const Args& args) { return args.weight_dtype != DType::kF32; }

// Products of half weights take x in the weights' dtype.
struct Scratch {
  void* gemm;
  uint16_t* x;  // [rows, in_dim], only for half weights

  Scratch(Carve& carve, const Gemm& device_gemm, const Args& args)
      : gemm(carve.take<std::byte>(static_cast<int64_t>(device_gemm.workspace_bytes()))),
        x(carve.take<uint16_t>(is_half(args) ? args.rows * args.in_dim : 0)) {}
};

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
  const Status status = convert(device, args.x, DType::kF32, scratch.x, args.weight_dtype, args.rows * args.in_dim);
  if (!status.ok()) return status;
  return device.gemm->run(device, task_of(args, scratch.x), scratch.gemm);
}

}  // namespace

template <>
OpEntry<Linear::Args> entry<Linear>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cuda
