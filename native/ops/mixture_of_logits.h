// mixture_of_logits: a multi-task similarity of (user, candidate) pairs, the softmax-weighted mean of many dot products
// (Zhai et al. 2023, "Revisiting Neural Retrieval on Accelerators", arXiv 2306.04039; OverArch of SilverTorch, arXiv
// 2511.14881). With P user components and Q item components of d dimensions, C = P·Q pairs c = p·Q + q, T tasks:
//
//   phi_t(u, x) = sum_c pi_tc(u, x) <f_p(u), g_q(x)> / temperature
//   pi_t(u, x)  = softmax_c(userGate_tc(u) + itemGate_tc(x) + crossGate_tc(s)),  s_c = <f_p(u), g_q(x)> / temperature
//
// the paper's mixture with its gate decomposed into a user, an item and a cross term, and components of unit length ("L2
// normalisation"). Gates are linear here; what is only of the user comes in computed, so it may be any network.
//
//   0 user             float32 [batch, P, d]   components f, which the caller has normalised
//   1 user_gates       float32 [batch, T, C]
//   2 to 6 candidates  embeddings, embedding_scales, embedding_index, features, feature_index as in candidates.h;
//                      x = [i (D), f (F)] of a candidate
//   7 item_weight      float32 | float16 | bfloat16 [Q·d, D+F]     8 item_bias       float32 [Q·d] optional
//   9 item_gate_weight float32 | float16 | bfloat16 [T·C, D+F]    10 item_gate_bias  float32 [T·C] optional
//  11 cross_gate_weight float32 | float16 | bfloat16 [T·C, C] optional
//   -> logits          float32 [batch, m, T]   0 for a missing candidate
//   temperature        attribute, positive and finite as float32; default 1
//
// Numerics. g: fma chain from 0 over ascending k, + bias. |g_q|: sum of squares in 16 interleaved fma chains (element k in
// chain k mod 16), added in halves (i with i + 8, then + 4, + 2, + 1), square root. r_q = 1 / (|g_q| · temperature), 0
// where |g_q| is 0: a component of zeros scores 0. s_c = (fma chain of f_p and g_q) · r_q. Gate: fma chain over ascending
// k of [x, s], + (user_gate + item_gate_bias). Softmax: e_c = exp(gate_c - largest gate); sums of e_c and of e_c · s_c in
// 16 chains as above, one division. A NaN or +infinite gate makes its logit NaN.
// An index out of range: INVALID_ARGUMENT when the op runs. Polls for cancellation.
#pragma once

#include "ops/candidates.h"

namespace silverlode {

struct MixtureOfLogits {
  static constexpr const char* kName = "mixture_of_logits";
  static constexpr int32_t kFirstLayerInput = 7;

  struct Params {
    float temperature = 1;
  };
  struct Weight {
    const void* data;  // null without one, and while a run is planned
    const float* bias;
    DType dtype;

    bool present() const { return dtype != DType::kNone; }  // only the cross gate may be left out
  };
  struct Args : Candidates {
    const float* user;
    const float* user_gates;
    Weight item, item_gate, cross_gate;
    float* logits;
    int64_t user_components /* P */, item_components /* Q */, component_dim /* d */, tasks;
    float temperature;
    const void* prepared;  // weights packed by OpEntry::prepare, or null
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
