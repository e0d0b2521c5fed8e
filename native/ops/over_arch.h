// over_arch: a multi-task network over (user, candidate) pairs whose first layer is folded, so the pair matrix is never
// built (contracts 4; SilverTorch OverArch).
//
// The network reads [u (H·D), i (D), u_h * i for each head h (H·D), f (F)]:
//   0 user             float32 [batch, H, D]
//   1 to 5 candidates  embeddings, embedding_scales, embedding_index, features, feature_index as in candidates.h
//   6 + 2l             float32 | float16 | bfloat16 [out_l, in_l]   weight of layer l, PyTorch layout
//   7 + 2l             float32 [out_l]                              bias, optional
//   -> logits          float32 [batch, m, T]   T = out of the last layer; 0 for a missing candidate
//
// Folded first layer, per request: W' = Wi + sum_h Wx_h · diag(u_h) (fma, h ascending, starting from Wi),
// b' = b + Wu · u (fma chain over ascending k starting from 0, then + b); then layer 0 over [i, f] is a fma chain starting
// from 0 over ascending k, + b', activation. Other layers as in linear.h; no activation after the last one. An index out
// of range: INVALID_ARGUMENT when the op runs. Polls for cancellation.
#pragma once

#include "ops/activation.h"
#include "ops/candidates.h"

namespace silverlode {

struct OverArch {
  static constexpr const char* kName = "over_arch";
  static constexpr int32_t kMaxLayers = 6;
  static constexpr int32_t kFirstLayerInput = 6;

  struct Params {
    Activation activation = Activation::kRelu;
  };
  struct Layer {
    const void* weight;
    const float* bias;  // may be null
    DType dtype;
    int64_t in_dim, out_dim;
  };
  struct Args : Candidates {
    const float* user;
    Layer layers[kMaxLayers];
    int32_t n_layers;
    float* logits;
    int64_t heads;
    Activation activation;
    const void* prepared;  // weights packed by OpEntry::prepare, or null
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
