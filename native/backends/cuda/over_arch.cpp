// Candidates go through the whole network in steps whose activations stay in the second-level cache: a few requests of few
// candidates, or a part of one request. The first layer is folded per request (a batch of products), the others are the
// same for all rows. All layers are computed in one dtype, that of the weights; weights of different dtypes are widened.
#include <algorithm>

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/convert.h"
#include "backends/cuda/gemm.h"
#include "backends/cuda/over_arch_kernels.h"
#include "ops/check.h"
#include "ops/over_arch.h"

namespace silverlode::cuda {

namespace {

using Args = OverArch::Args;

constexpr int64_t kFoldedBytes = 32 << 20;  // of folded first layers, at least one

DType compute_dtype(const Args& args) {
  for (int32_t i = 1; i < args.n_layers; ++i) {
    if (args.layers[i].dtype != args.layers[0].dtype) return DType::kF32;
  }
  return args.layers[0].dtype;
}

bool is_last(const Args& args, int32_t layer) { return layer + 1 == args.n_layers; }

// A bias that is added to halves is stored as they are, so that the product can add it.
DType bias_dtype(const Args& args, int32_t layer) { return is_last(args, layer) ? DType::kF32 : compute_dtype(args); }

// Rows of hidden activations start at multiples of 16 bytes.
int64_t hidden_pitch(const Args& args, int32_t layer) { return (args.layers[layer].out_dim + 7) / 8 * 8; }

int64_t widest_hidden(const Args& args) {
  int64_t widest = 0;
  for (int32_t i = 0; i + 1 < args.n_layers; ++i) widest = std::max(widest, hidden_pitch(args, i));
  return widest;
}

// Copies of weights and biases in the dtype that the products want, where they have another; layer 0 is converted by folding.
struct Copies {
  void* weights[OverArch::kMaxLayers] = {};
  void* biases[OverArch::kMaxLayers] = {};

  Copies(Carve& carve, const Args& args) {
    const DType dtype = compute_dtype(args);
    for (int32_t i = 1; i < args.n_layers; ++i) {
      const OverArch::Layer& layer = args.layers[i];
      if (layer.dtype != dtype) weights[i] = carve.take<float>(layer.out_dim * layer.in_dim);
      if (layer.bias != nullptr && bias_dtype(args, i) != DType::kF32) biases[i] = carve.take<uint16_t>(layer.out_dim);
    }
  }
};

struct Scratch {
  StepLimits steps;
  void* gemm;
  void* folded;       // [requests, out, pitch]
  void* folded_bias;  // [requests, out]
  void* x;            // [rows, pitch]
  void* hidden[2];    // [rows, widest_hidden]

  Scratch(Carve& carve, const Runtime& device, const Args& args) {
    const DType dtype = compute_dtype(args);
    const int64_t size = static_cast<int64_t>(dtype_size(dtype));
    const int64_t pitch = folded_pitch(args, dtype);
    steps.rows = step_rows(device, (pitch + 2 * widest_hidden(args)) * size);
    steps.requests = std::clamp<int64_t>(kFoldedBytes / (args.layers[0].out_dim * pitch * size + 1), 1, steps.rows);
    const int64_t rows = std::min(steps.rows, args.batch * args.candidates);
    const int64_t requests = std::min(steps.requests, args.batch);
    gemm = carve.take<std::byte>(static_cast<int64_t>(device.gemm->workspace_bytes()));
    folded = carve.take<std::byte>(requests * args.layers[0].out_dim * pitch * size);
    folded_bias = carve.take<float>(requests * args.layers[0].out_dim);
    x = carve.take<std::byte>(rows * pitch * size);
    for (void*& buffer : hidden) buffer = carve.take<std::byte>(rows * widest_hidden(args) * size);
  }
};

// The product of one layer for the rows of a step.
GemmTask task_of(const Args& args, const Copies& copies, const Scratch& scratch, const Span& span, int32_t index) {
  const OverArch::Layer& layer = args.layers[index];
  GemmTask task;
  task.dtype = compute_dtype(args);
  task.y_dtype = is_last(args, index) ? DType::kF32 : task.dtype;
  task.bias_dtype = bias_dtype(args, index);
  task.n = layer.out_dim;
  task.activation = is_last(args, index) ? Activation::kNone : args.activation;
  if (index == 0) {
    task.batch = span.requests;
    task.m = span.candidates;
    task.k = task.ldx = task.ldw = folded_pitch(args, task.dtype);
    task.x = scratch.x, task.w = scratch.folded, task.bias = scratch.folded_bias;
    task.x_stride = task.m * task.ldx, task.w_stride = task.n * task.ldw, task.bias_stride = task.n;
  } else {
    task.m = span.rows();
    task.k = task.ldw = layer.in_dim;
    task.ldx = hidden_pitch(args, index - 1);
    task.x = scratch.hidden[(index - 1) % 2];
    task.w = copies.weights[index] != nullptr ? copies.weights[index] : layer.weight;
    task.bias = copies.biases[index] != nullptr ? copies.biases[index] : layer.bias;
  }
  task.ldy = is_last(args, index) ? layer.out_dim : hidden_pitch(args, index);
  task.y = is_last(args, index) ? args.logits + (span.first * args.candidates + span.begin) * layer.out_dim
                                : scratch.hidden[index % 2];
  task.y_stride = task.m * task.ldy;
  return task;
}

Status make_copies(const Runtime& device, const Args& args, const Copies& copies) {
  for (int32_t i = 1; i < args.n_layers; ++i) {
    const OverArch::Layer& layer = args.layers[i];
    if (copies.weights[i] != nullptr) {
      SILVERLODE_RETURN_IF_ERROR(
          convert(device, layer.weight, layer.dtype, copies.weights[i], DType::kF32, layer.out_dim * layer.in_dim));
    }
    if (copies.biases[i] != nullptr) {
      SILVERLODE_RETURN_IF_ERROR(
          convert(device, layer.bias, DType::kF32, copies.biases[i], bias_dtype(args, i), layer.out_dim));
    }
  }
  return ok_status();
}

size_t copies_bytes(const Args& args) {
  Carve carve;
  Copies(carve, args);
  return carve.bytes();
}

// At least a byte: preparing also chooses how to multiply, and a plan prepares only where there are bytes.
size_t prepared_bytes(const Args& args) { return std::max<size_t>(copies_bytes(args), 1); }

Status prepare(Context& context, const Args& args, void* prepared) {
  const Runtime& device = runtime(context);
  Carve carve(prepared), no_memory;
  const Copies copies(carve, args);
  SILVERLODE_RETURN_IF_ERROR(make_copies(device, args, copies));
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  const Scratch shapes(no_memory, device, args);
  return for_each_step(args, shapes.steps, [&](const Span& span) {
    for (int32_t i = 0; i < args.n_layers; ++i) {
      GemmTask task = task_of(args, copies, shapes, span, i);
      if (i == 0) task.bias = &task;  // any address: it has a bias in every run
      SILVERLODE_RETURN_IF_ERROR(device.gemm->prepare(device, task));
    }
    return ok_status();
  });
}

size_t workspace(const Context& context, const Args& args) {
  Carve carve;
  Scratch(carve, runtime(context), args);
  return carve.bytes() + (args.prepared == nullptr ? copies_bytes(args) : 0);
}

Status run_step(const Runtime& device, const Args& args, const Copies& copies, const Scratch& scratch,
                const Span& span) {
  const DType dtype = compute_dtype(args);
  if (span.begin == 0) {
    SILVERLODE_RETURN_IF_ERROR(
        fold(device, args, span, dtype, scratch.folded, scratch.folded_bias, bias_dtype(args, 0)));
  }
  const int64_t pitch = folded_pitch(args, dtype);
  SILVERLODE_RETURN_IF_ERROR(gather_candidates(device, args, span, {scratch.x, dtype, pitch, pitch, false}));
  for (int32_t i = 0; i < args.n_layers; ++i) {
    SILVERLODE_RETURN_IF_ERROR(device.gemm->run(device, task_of(args, copies, scratch, span, i), scratch.gemm));
  }
  return clear_missing(device, args, span, args.layers[args.n_layers - 1].out_dim, args.logits);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Scratch scratch(carve, device, args);
  // The copies follow the scratch memory when nobody prepared them; they are not written otherwise.
  Carve copies_carve(args.prepared == nullptr ? static_cast<std::byte*>(workspace.data) + carve.bytes()
                                              : const_cast<void*>(args.prepared));
  const Copies copies(copies_carve, args);
  SILVERLODE_RETURN_IF_ERROR(check_candidate_indices(device, OverArch::kName, args));
  if (args.prepared == nullptr) SILVERLODE_RETURN_IF_ERROR(make_copies(device, args, copies));
  return for_each_step(args, scratch.steps, [&](const Span& span) {
    if (context.cancelled()) return make_error(Code::kAborted, "over_arch: cancelled");
    return run_step(device, args, copies, scratch, span);
  });
}

}  // namespace

template <>
OpEntry<OverArch::Args> entry<OverArch>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cuda
