// Per request its components become the panel of a matrix product and its gate terms a bias. Then candidates go through
// everything in chunks whose intermediate results stay in the second-level cache; the cross gate costs no pass of its
// own, since its input s follows x in one row and its weights follow those of x in one panel.
#include <algorithm>

#include "backends/carve.h"
#include "backends/cpu/candidate_rows.h"
#include "backends/cpu/gemm.h"
#include "ops/mixture_of_logits.h"

namespace silverlode::cpu {

namespace {

using Args = MixtureOfLogits::Args;

constexpr int64_t kChunkFloats = 3 << 15;  // intermediate results of one chunk: 384 KiB
constexpr int64_t kMinChunk = 28;
constexpr int64_t kMaxChunk = 224;

struct Sizes {
  int64_t item_dim;  // of x = [i, f]
  int64_t item_out;  // Q·d
  int64_t pairs;     // C
  int64_t gates;     // T·C
  int64_t gate_dim;  // of [x, s], or of x without a cross gate
  int64_t row_dim;   // of [x, s]

  explicit Sizes(const Args& args)
      : item_dim(args.dim + args.n_features),
        item_out(args.item_components * args.component_dim),
        pairs(args.user_components * args.item_components),
        gates(args.tasks * pairs),
        gate_dim(item_dim + (args.cross_gate.present() ? pairs : 0)),
        row_dim(item_dim + pairs) {}

  int64_t chunk_rows() const {
    const int64_t rows = kChunkFloats / (row_dim + item_out + pairs + gates);
    return std::clamp(rows / kMinChunk * kMinChunk, kMinChunk, kMaxChunk);
  }
};

struct Weights {
  float* item;   // in panels, over x
  float* gates;  // in panels, over [x, s]

  Weights(Carve& carve, const Sizes& sizes)
      : item(carve.take<float>(panel_count(sizes.item_out) * sizes.item_dim * kPanel)),
        gates(carve.take<float>(panel_count(sizes.gates) * sizes.gate_dim * kPanel)) {}
};

struct Scratch {
  int64_t rows_per_chunk, chunks;
  int64_t panel_floats;
  float* panels;     // [batch]: user components in panels over d
  float* gate_bias;  // [batch, T·C]: user gate + bias of the item gate
  int64_t norms_per_chunk;
  float* rows;        // per worker [rows_per_chunk, row_dim]
  float* components;  // per worker [rows_per_chunk, Q, d]
  float* norms;       // per worker [rows_per_chunk, Q]
  float* dots;        // per worker [rows_per_chunk, Q, P]
  float* gates;       // per worker [rows_per_chunk, T, C]
  int32_t* present;   // per worker [rows_per_chunk]: candidates of the chunk that are not missing

  Scratch(Carve& carve, const Args& args, const Sizes& sizes, int64_t threads)
      : rows_per_chunk(std::min(sizes.chunk_rows(), std::max<int64_t>(args.candidates, 1))),
        chunks((args.candidates + rows_per_chunk - 1) / rows_per_chunk),
        panel_floats(panel_count(args.user_components) * args.component_dim * kPanel),
        panels(carve.take<float>(args.batch * panel_floats)),
        gate_bias(carve.take<float>(args.batch * sizes.gates)),
        norms_per_chunk(rows_per_chunk * args.item_components),
        rows(carve.take<float>(threads * rows_per_chunk * sizes.row_dim)),
        components(carve.take<float>(threads * rows_per_chunk * sizes.item_out)),
        norms(carve.take<float>(threads * norms_per_chunk)),
        dots(carve.take<float>(threads * rows_per_chunk * sizes.pairs)),
        gates(carve.take<float>(threads * rows_per_chunk * sizes.gates)),
        present(carve.take<int32_t>(threads * rows_per_chunk)) {}
};

class Mixture {
 public:
  Mixture(const Context& context, const Args& args, const Sizes& sizes, const Weights& weights, const Scratch& scratch)
      : kernels_(runtime(context).simd.floats), args_(args), sizes_(sizes), weights_(weights), scratch_(scratch) {}

  // Panel and gate bias of one request.
  void set_up(int64_t request) const {
    const float* user = args_.user + request * args_.user_components * args_.component_dim;
    float* panel = scratch_.panels + request * scratch_.panel_floats;
    std::fill(panel, panel + scratch_.panel_floats, 0.0f);
    for (int64_t p = 0; p < args_.user_components; ++p) {
      float* column = panel + p / kPanel * args_.component_dim * kPanel + p % kPanel;
      for (int64_t k = 0; k < args_.component_dim; ++k) column[k * kPanel] = user[p * args_.component_dim + k];
    }
    const float* own = args_.user_gates + request * sizes_.gates;
    float* bias = scratch_.gate_bias + request * sizes_.gates;
    for (int64_t c = 0; c < sizes_.gates; ++c) {
      bias[c] = args_.item_gate.bias == nullptr ? own[c] : own[c] + args_.item_gate.bias[c];
    }
  }

  // Logits of one chunk of a request.
  void run_chunk(int64_t request, int64_t chunk, int32_t worker) const {
    const int64_t begin = chunk * scratch_.rows_per_chunk;
    const int64_t n = std::min(scratch_.rows_per_chunk, args_.candidates - begin);
    const int64_t first = request * args_.candidates + begin;
    int32_t* present = scratch_.present + worker * scratch_.rows_per_chunk;
    float* rows = scratch_.rows + worker * scratch_.rows_per_chunk * sizes_.row_dim;
    const int64_t found = gather_candidates(kernels_, args_, first, n, present, rows, sizes_.row_dim);
    float* logits = args_.logits + first * args_.tasks;
    if (found < n) std::fill(logits, logits + n * args_.tasks, 0.0f);
    score_pairs(request, found, rows, worker);
    mix(request, found, rows, worker, logits, present);
  }

 private:
  // Fills in s behind each x.
  void score_pairs(int64_t request, int64_t n, float* rows, int32_t worker) const {
    const int64_t n_user = args_.user_components, n_item = args_.item_components;
    float* components = scratch_.components + worker * scratch_.rows_per_chunk * sizes_.item_out;
    float* norms = scratch_.norms + worker * scratch_.norms_per_chunk;
    float* dots = scratch_.dots + worker * scratch_.rows_per_chunk * sizes_.pairs;
    kernels_.gemm_packed(rows, sizes_.row_dim, n, weights_.item, args_.item.bias, sizes_.item_dim, sizes_.item_out,
                         components, sizes_.item_out, Activation::kNone);
    kernels_.row_norms(components, n * n_item, args_.component_dim, norms);
    kernels_.gemm_packed(components, args_.component_dim, n * n_item, scratch_.panels + request * scratch_.panel_floats,
                         nullptr, args_.component_dim, n_user, dots, n_user, Activation::kNone);
    for (int64_t row = 0; row < n; ++row) {
      float* scores = rows + row * sizes_.row_dim + sizes_.item_dim;
      for (int64_t q = 0; q < n_item; ++q) {
        const float norm = norms[row * n_item + q];
        const float factor = norm == 0 ? 0.0f : 1.0f / (norm * args_.temperature);
        const float* dot = dots + (row * n_item + q) * n_user;
        for (int64_t p = 0; p < n_user; ++p) scores[p * n_item + q] = dot[p] * factor;
      }
    }
  }

  void mix(int64_t request, int64_t n, const float* rows, int32_t worker, float* logits, const int32_t* present) const {
    float* gates = scratch_.gates + worker * scratch_.rows_per_chunk * sizes_.gates;
    kernels_.gemm_packed(rows, sizes_.row_dim, n, weights_.gates, scratch_.gate_bias + request * sizes_.gates,
                         sizes_.gate_dim, sizes_.gates, gates, sizes_.gates, Activation::kNone);
    for (int64_t row = 0; row < n; ++row) {
      const float* scores = rows + row * sizes_.row_dim + sizes_.item_dim;
      for (int64_t t = 0; t < args_.tasks; ++t) {
        const float* own = gates + (row * args_.tasks + t) * sizes_.pairs;
        logits[present[row] * args_.tasks + t] = kernels_.softmax_mean(own, scores, sizes_.pairs);
      }
    }
  }

  const FloatKernels& kernels_;
  const Args& args_;
  const Sizes& sizes_;
  const Weights& weights_;
  const Scratch& scratch_;
};

size_t prepared_bytes(const Args& args) {
  Carve carve;
  Weights(carve, Sizes(args));
  return carve.bytes();
}

Status prepare(Context& context, const Args& args, void* prepared) {
  const Sizes sizes(args);
  Carve carve(prepared);
  const Weights weights(carve, sizes);
  pack_weights(context, args.item.data, args.item.dtype, sizes.item_out, sizes.item_dim, sizes.item_dim, weights.item);
  const int64_t stride = sizes.gate_dim * kPanel;
  pack_weights(context, args.item_gate.data, args.item_gate.dtype, sizes.gates, sizes.item_dim, sizes.item_dim,
               weights.gates, stride);
  if (args.cross_gate.present()) {
    pack_weights(context, args.cross_gate.data, args.cross_gate.dtype, sizes.gates, sizes.pairs, sizes.pairs,
                 weights.gates + sizes.item_dim * kPanel, stride);
  }
  return ok_status();
}

size_t workspace(const Context& context, const Args& args) {
  Carve carve;
  Scratch(carve, args, Sizes(args), runtime(context).pool.threads());
  return carve.bytes() + (args.prepared == nullptr ? prepared_bytes(args) : 0);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  if (args.batch == 0 || args.candidates == 0) return ok_status();
  if (Status status = check_candidate_indices(MixtureOfLogits::kName, args); !status.ok()) return status;
  ThreadPool& pool = runtime(context).pool;
  const Sizes sizes(args);
  Carve carve(workspace.data);
  const Scratch scratch(carve, args, sizes, pool.threads());
  // The packed weights follow the scratch memory when nobody prepared them; they are not written otherwise.
  void* packed = args.prepared == nullptr ? static_cast<std::byte*>(workspace.data) + carve.bytes()
                                          : const_cast<void*>(args.prepared);
  if (args.prepared == nullptr) {
    if (Status status = prepare(context, args, packed); !status.ok()) return status;
  }
  Carve packed_carve(packed);
  const Weights weights(packed_carve, sizes);
  const Mixture mixture(context, args, sizes, weights, scratch);
  pool.parallel_for(args.batch, [&](int64_t request, int32_t) { mixture.set_up(request); });
  pool.parallel_for(args.batch * scratch.chunks, [&](int64_t task, int32_t worker) {
    if (!context.cancelled()) mixture.run_chunk(task / scratch.chunks, task % scratch.chunks, worker);
  });
  return context.cancelled() ? make_error(Code::kAborted, "mixture_of_logits: cancelled") : ok_status();
}

}  // namespace

template <>
OpEntry<MixtureOfLogits::Args> entry<MixtureOfLogits>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cpu
