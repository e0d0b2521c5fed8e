// A step of candidates goes through two matrix products: its components, and its gates, whose input s follows x in one row
// and whose weights follow those of x, as on the CPU. Between and after them one kernel each makes s and the logits.
#include "ops/mixture_of_logits.h"

#include "backends/carve.h"
#include "backends/cuda/backend.h"
#include "backends/cuda/gemm.h"
#include "backends/cuda/mixture_of_logits_kernels.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

using Args = MixtureOfLogits::Args;

// Weights as the products want them.
struct Packed {
  void* item;   // [Q·d, s_at]
  void* gates;  // [T·C, gate_dim]

  Packed(Carve& carve, const MixtureSizes& sizes) {
    const int64_t size = static_cast<int64_t>(dtype_size(sizes.dtype));
    item = carve.take<std::byte>(sizes.item_out * sizes.s_at * size);
    gates = carve.take<std::byte>(sizes.gates * sizes.gate_dim * size);
  }
};

struct Scratch {
  StepLimits steps;
  void* gemm;
  void* rows;         // [rows, pitch]
  float* components;  // [rows, Q, d]
  float* gates;       // [rows, T, C]

  Scratch(Carve& carve, const Runtime& device, const Args& args, const MixtureSizes& sizes) {
    constexpr int64_t kFloat = sizeof(float);
    steps.rows = steps.requests = step_rows(device, sizes.row_bytes() + (sizes.item_out + sizes.gates) * kFloat);
    const int64_t n = std::min(steps.rows, args.batch * args.candidates);
    gemm = carve.take<std::byte>(static_cast<int64_t>(device.gemm->workspace_bytes()));
    rows = carve.take<std::byte>(n * sizes.row_bytes());
    components = carve.take<float>(n * sizes.item_out);
    gates = carve.take<float>(n * sizes.gates);
  }
};

// What a step of a run works with.
struct Mixture {
  const Runtime& device;
  const Args& args;
  MixtureSizes sizes;
  Packed packed;
  Scratch scratch;

  GemmTask components(const Span& span) const {
    GemmTask task = product(span, packed.item, sizes.s_at, sizes.item_out, scratch.components);
    task.bias = args.item.bias;
    return task;
  }
  // Without biases: the user's gates are one, so mix() adds both.
  GemmTask gates(const Span& span) const {
    return product(span, packed.gates, sizes.gate_dim, sizes.gates, scratch.gates);
  }

  Status prepare_step(const Span& span) const {
    SILVERLODE_RETURN_IF_ERROR(device.gemm->prepare(device, components(span)));
    return device.gemm->prepare(device, gates(span));
  }
  Status run_step(const Span& span) const {
    const CandidateRows rows = {scratch.rows, sizes.dtype, sizes.pitch, sizes.x_width, sizes.split()};
    SILVERLODE_RETURN_IF_ERROR(gather_candidates(device, args, span, rows));
    SILVERLODE_RETURN_IF_ERROR(device.gemm->run(device, components(span), scratch.gemm));
    SILVERLODE_RETURN_IF_ERROR(score_pairs(device, args, span, scratch.components, scratch.rows));
    SILVERLODE_RETURN_IF_ERROR(device.gemm->run(device, gates(span), scratch.gemm));
    return mix(device, args, span, scratch.gates, scratch.rows);
  }

 private:
  // Both products read rows of [x, s].
  GemmTask product(const Span& span, const void* weights, int64_t k, int64_t n, float* y) const {
    GemmTask task;
    task.dtype = sizes.dtype;
    task.x = scratch.rows, task.w = weights, task.y = y;
    task.m = span.rows(), task.n = n, task.k = k;
    task.ldx = sizes.pitch, task.ldw = k, task.ldy = n;
    return task;
  }
};

Status pack(const Runtime& device, const Args& args, const MixtureSizes& sizes, const Packed& packed) {
  const PackedColumns item = {packed.item, sizes.dtype, sizes.s_at, 0, sizes.x_width};
  const PackedColumns item_gate = {packed.gates, sizes.dtype, sizes.gate_dim, 0, sizes.x_width};
  const PackedColumns cross_gate = {packed.gates, sizes.dtype, sizes.gate_dim, sizes.s_at, sizes.s_width};
  SILVERLODE_RETURN_IF_ERROR(pack_weight(device, args.item, sizes.item_out, sizes.item_dim, item));
  SILVERLODE_RETURN_IF_ERROR(pack_weight(device, args.item_gate, sizes.gates, sizes.item_dim, item_gate));
  if (!args.cross_gate.present()) return ok_status();
  return pack_weight(device, args.cross_gate, sizes.gates, sizes.pairs, cross_gate);
}

size_t prepared_bytes(const Args& args) {
  Carve carve;
  Packed(carve, MixtureSizes(args));
  return carve.bytes();
}

Status prepare(Context& context, const Args& args, void* prepared) {
  const Runtime& device = runtime(context);
  const MixtureSizes sizes(args);
  Carve carve(prepared), no_memory;
  const Packed packed(carve, sizes);
  SILVERLODE_RETURN_IF_ERROR(pack(device, args, sizes, packed));
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  const Mixture mixture = {device, args, sizes, packed, Scratch(no_memory, device, args, sizes)};
  return for_each_step(args, mixture.scratch.steps, [&](const Span& span) { return mixture.prepare_step(span); });
}

size_t workspace(const Context& context, const Args& args) {
  Carve carve;
  Scratch(carve, runtime(context), args, MixtureSizes(args));
  return carve.bytes() + (args.prepared == nullptr ? prepared_bytes(args) : 0);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  const Runtime& device = runtime(context);
  const MixtureSizes sizes(args);
  Carve carve(workspace.data);
  const Scratch scratch(carve, device, args, sizes);
  // The packed weights follow the scratch memory when nobody prepared them; they are not written otherwise.
  Carve packed_carve(args.prepared == nullptr ? static_cast<std::byte*>(workspace.data) + carve.bytes()
                                              : const_cast<void*>(args.prepared));
  const Packed packed(packed_carve, sizes);
  SILVERLODE_RETURN_IF_ERROR(check_candidate_indices(device, MixtureOfLogits::kName, args));
  if (args.prepared == nullptr) SILVERLODE_RETURN_IF_ERROR(pack(device, args, sizes, packed));
  const Mixture mixture = {device, args, sizes, packed, scratch};
  return for_each_step(args, scratch.steps, [&](const Span& span) {
    if (context.cancelled()) return make_error(Code::kAborted, "mixture_of_logits: cancelled");
    return mixture.run_step(span);
  });
}

}  // namespace

template <>
OpEntry<MixtureOfLogits::Args> entry<MixtureOfLogits>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cuda
