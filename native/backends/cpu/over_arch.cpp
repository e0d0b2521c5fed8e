// Candidates go through the whole network in chunks whose activations stay in the second-level cache. A few requests at a
// time: first their folded first layers are built (one task per request and panel), then their chunks are run.
#include <algorithm>
#include <cstring>

#include "backends/carve.h"
#include "backends/cpu/candidate_rows.h"
#include "backends/cpu/gemm.h"
#include "ops/over_arch.h"

namespace silverlode::cpu {

namespace {

using Args = OverArch::Args;

constexpr int64_t kChunkFloats = 3 << 15;  // activations of one chunk: 384 KiB
constexpr int64_t kMinChunk = 28;
constexpr int64_t kMaxChunk = 224;  // both whole numbers of the widest level's register tiles
constexpr int64_t kTasksPerThread = 8;

// [i, f]: what is left of the first layer's input after folding.
int64_t folded_dim(const Args& args) { return args.dim + args.n_features; }

int64_t widest_layer(const Args& args) {
  int64_t widest = 0;
  for (int32_t layer = 0; layer < args.n_layers; ++layer) widest = std::max(widest, args.layers[layer].out_dim);
  return widest;
}

int64_t chunk_rows(const Args& args) {
  const int64_t rows = kChunkFloats / (folded_dim(args) + 2 * widest_layer(args));
  return std::clamp(rows / kMinChunk * kMinChunk, kMinChunk, kMaxChunk);
}

// All weights in panels; layer 0 over its whole input [u, i, u*i per head, f].
struct Weights {
  float* packed[OverArch::kMaxLayers] = {};

  Weights(Carve& carve, const Args& args) {
    for (int32_t layer = 0; layer < args.n_layers; ++layer) {
      packed[layer] = carve.take<float>(panel_count(args.layers[layer].out_dim) * args.layers[layer].in_dim * kPanel);
    }
  }
};

struct Scratch {
  int64_t rows_per_chunk, chunks, group;  // `group` requests are folded at once
  int64_t room;                           // for at least `group` of them; unlike that it grows with the sizes of a run
  int64_t panels;                         // of layer 0
  float* folded;                          // [room, panels, folded_dim, kPanel]
  float* folded_bias;                     // [room, panels * kPanel]
  int64_t input_floats, hidden_floats;
  float* inputs;     // per worker [rows_per_chunk, folded_dim]
  float* hidden[2];  // per worker [rows_per_chunk, widest layer]
  int32_t* present;  // per worker [rows_per_chunk]: candidates of the chunk that are not missing

  Scratch(Carve& carve, const Args& args, int64_t threads)
      : rows_per_chunk(std::min(chunk_rows(args), std::max<int64_t>(args.candidates, 1))),
        chunks((args.candidates + rows_per_chunk - 1) / rows_per_chunk),
        group(std::clamp<int64_t>(kTasksPerThread * threads / std::max<int64_t>(chunks, 1), 1,
                                  std::max<int64_t>(args.batch, 1))),
        room(std::clamp<int64_t>(kTasksPerThread * threads, 1, std::max<int64_t>(args.batch, 1))),
        panels(panel_count(args.layers[0].out_dim)),
        folded(carve.take<float>(room * panels * folded_dim(args) * kPanel)),
        folded_bias(carve.take<float>(room * panels * kPanel)),
        input_floats(rows_per_chunk * folded_dim(args)),
        hidden_floats(rows_per_chunk * widest_layer(args)),
        inputs(carve.take<float>(threads * input_floats)),
        hidden{carve.take<float>(threads * hidden_floats), carve.take<float>(threads * hidden_floats)},
        present(carve.take<int32_t>(threads * rows_per_chunk)) {}
};

class Network {
 public:
  Network(const Context& context, const Args& args, const Weights& weights, const Scratch& scratch)
      : kernels_(runtime(context).simd.floats), args_(args), weights_(weights), scratch_(scratch) {}

  // One panel of W' and b' of request `first + slot`.
  void fold(int64_t first, int64_t slot, int64_t panel) const {
    const OverArch::Layer& layer = args_.layers[0];
    const int64_t user_dim = args_.heads * args_.dim;
    const float* user = args_.user + (first + slot) * user_dim;
    const float* on_user = weights_.packed[0] + panel * layer.in_dim * kPanel;
    const float* on_item = on_user + user_dim * kPanel;
    const float* on_product = on_item + args_.dim * kPanel;
    const float* on_features = on_product + user_dim * kPanel;
    float* folded = folded_weights(slot) + panel * folded_dim(args_) * kPanel;
    kernels_.fold_panel(on_item, on_product, user, args_.heads, args_.dim, folded);
    if (args_.n_features > 0) {
      std::memcpy(folded + args_.dim * kPanel, on_features,
                  static_cast<size_t>(args_.n_features * kPanel) * sizeof(float));
    }
    const int64_t n = panel * kPanel;
    kernels_.gemm_packed(user, user_dim, 1, on_user, layer.bias == nullptr ? nullptr : layer.bias + n, user_dim,
                         std::min(kPanel, layer.out_dim - n), folded_bias(slot) + n, kPanel, Activation::kNone);
  }

  // Logits of one chunk of request `first + slot`.
  void run_chunk(int64_t first, int64_t slot, int64_t chunk, int32_t worker) const {
    const int64_t begin = chunk * scratch_.rows_per_chunk;
    const int64_t n = std::min(scratch_.rows_per_chunk, args_.candidates - begin);
    const int64_t offset = (first + slot) * args_.candidates + begin;
    int32_t* present = scratch_.present + worker * scratch_.rows_per_chunk;
    float* input = scratch_.inputs + worker * scratch_.input_floats;
    const int64_t rows = gather_candidates(kernels_, args_, offset, n, present, input, folded_dim(args_));
    const int64_t tasks = args_.layers[args_.n_layers - 1].out_dim;
    float* logits = args_.logits + offset * tasks;
    if (rows < n) std::fill(logits, logits + n * tasks, 0.0f);
    if (rows == 0) return;
    run_layers(slot, rows, input, worker, logits, rows == n ? nullptr : present);
  }

 private:
  float* folded_weights(int64_t slot) const {
    return scratch_.folded + slot * scratch_.panels * folded_dim(args_) * kPanel;
  }
  float* folded_bias(int64_t slot) const { return scratch_.folded_bias + slot * scratch_.panels * kPanel; }

  // `rows` lists where each row's logits go; null when they are all there in order.
  void run_layers(int64_t slot, int64_t n, const float* input, int32_t worker, float* logits,
                  const int32_t* rows) const {
    const float* x = input;
    int64_t in_dim = folded_dim(args_);
    for (int32_t i = 0; i < args_.n_layers; ++i) {
      const OverArch::Layer& layer = args_.layers[i];
      const bool last = i + 1 == args_.n_layers;
      float* y = last && rows == nullptr ? logits : scratch_.hidden[i % 2] + worker * scratch_.hidden_floats;
      kernels_.gemm_packed(x, in_dim, n, i == 0 ? folded_weights(slot) : weights_.packed[i],
                           i == 0 ? folded_bias(slot) : layer.bias, in_dim, layer.out_dim, y, layer.out_dim,
                           last ? Activation::kNone : args_.activation);
      x = y;
      in_dim = layer.out_dim;
    }
    if (rows == nullptr) return;
    for (int64_t row = 0; row < n; ++row) {
      std::memcpy(logits + rows[row] * in_dim, x + row * in_dim, static_cast<size_t>(in_dim) * sizeof(float));
    }
  }

  const FloatKernels& kernels_;
  const Args& args_;
  const Weights& weights_;
  const Scratch& scratch_;
};

size_t prepared_bytes(const Args& args) {
  Carve carve;
  Weights(carve, args);
  return carve.bytes();
}

Status prepare(Context& context, const Args& args, void* prepared) {
  Carve carve(prepared);
  const Weights weights(carve, args);
  for (int32_t i = 0; i < args.n_layers; ++i) {
    const OverArch::Layer& layer = args.layers[i];
    pack_weights(context, layer.weight, layer.dtype, layer.out_dim, layer.in_dim, layer.in_dim, weights.packed[i]);
  }
  return ok_status();
}

size_t workspace(const Context& context, const Args& args) {
  Carve carve;
  Scratch(carve, args, runtime(context).pool.threads());
  return carve.bytes() + (args.prepared == nullptr ? prepared_bytes(args) : 0);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  if (Status status = check_candidate_indices(OverArch::kName, args); !status.ok()) return status;
  ThreadPool& pool = runtime(context).pool;
  Carve carve(workspace.data);
  const Scratch scratch(carve, args, pool.threads());
  // The packed weights follow the scratch memory when nobody prepared them; they are not written otherwise.
  void* packed = args.prepared == nullptr ? static_cast<std::byte*>(workspace.data) + carve.bytes()
                                          : const_cast<void*>(args.prepared);
  if (args.prepared == nullptr) {
    if (Status status = prepare(context, args, packed); !status.ok()) return status;
  }
  Carve packed_carve(packed);
  const Weights weights(packed_carve, args);
  const Network network(context, args, weights, scratch);
  for (int64_t first = 0; first < args.batch; first += scratch.group) {
    if (context.cancelled()) break;
    const int64_t requests = std::min(scratch.group, args.batch - first);
    pool.parallel_for(requests * scratch.panels, [&](int64_t task, int32_t) {
      network.fold(first, task / scratch.panels, task % scratch.panels);
    });
    pool.parallel_for(requests * scratch.chunks, [&](int64_t task, int32_t worker) {
      if (!context.cancelled()) network.run_chunk(first, task / scratch.chunks, task % scratch.chunks, worker);
    });
  }
  return context.cancelled() ? make_error(Code::kAborted, "over_arch: cancelled") : ok_status();
}

}  // namespace

template <>
OpEntry<OverArch::Args> entry<OverArch>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cpu
