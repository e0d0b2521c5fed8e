// The kernels of mixture_of_logits beside its matrix products.
//
// A softmax of scores over a low temperature enlarges what is rounded before it. So half weights, which are exact, are
// multiplied with x and s as sums of two halves: [x, s] is stored as [high x, low x, high s, low s] and the weights of each
// are repeated. Products stay on tensor cores, inputs keep 16 bits (bfloat16) or 22 (float16, within its range).
#pragma once

#include "backends/cuda/candidate_rows.h"
#include "ops/mixture_of_logits.h"

namespace silverlode::cuda {

// What follows from a call's dimensions. Widths count elements of a row of [x, s]; for halves every part of it starts at a
// multiple of 16 bytes and ends in zeros.
struct MixtureSizes {
  DType dtype;               // of rows and packed weights: that of all weights, or float32
  int64_t item_dim;          // of x
  int64_t item_out;          // Q·d
  int64_t pairs;             // C
  int64_t gates;             // T·C
  int64_t x_width, s_width;  // of one part
  int64_t s_at;
  int64_t pitch;
  int64_t gate_dim;  // of [x, s], or of x without a cross gate

  explicit MixtureSizes(const MixtureOfLogits::Args& args)
      : item_dim(args.dim + args.n_features),
        item_out(args.item_components * args.component_dim),
        pairs(args.user_components * args.item_components),
        gates(args.tasks * pairs) {
    const bool cross = args.cross_gate.present();
    const bool same = args.item_gate.dtype == args.item.dtype && (!cross || args.cross_gate.dtype == args.item.dtype);
    dtype = same ? args.item.dtype : DType::kF32;
    const int64_t whole = split() ? 8 : 1, parts = split() ? 2 : 1;
    x_width = (item_dim + whole - 1) / whole * whole;
    s_width = (pairs + whole - 1) / whole * whole;
    s_at = parts * x_width;
    pitch = s_at + parts * s_width;
    gate_dim = cross ? pitch : s_at;
  }

  bool split() const { return dtype != DType::kF32; }
  int64_t row_bytes() const { return pitch * static_cast<int64_t>(dtype_size(dtype)); }
};

// Where a weight goes: column `at` of packed rows of `dtype`, `pitch` apart. It takes `width` columns, zeros beyond its own,
// and for halves the same again. The dtype is float32 or the weight's.
struct PackedColumns {
  void* data;
  DType dtype;
  int64_t pitch, at, width;
};

// Packs a weight [n, in_dim].
Status pack_weight(const Runtime& device, const MixtureOfLogits::Weight& weight, int64_t n, int64_t in_dim,
                   const PackedColumns& to);

// Writes s behind each x of the span's `rows`, from its item components [rows, Q, d] before normalisation.
Status score_pairs(const Runtime& device, const MixtureOfLogits::Args& args, const Span& span, const float* components,
                   void* rows);

// The span's logits from products [rows, T, C] of gate weights, which lack their biases, and s in `rows`.
Status mix(const Runtime& device, const MixtureOfLogits::Args& args, const Span& span, const float* gates,
           const void* rows);

}  // namespace silverlode::cuda
