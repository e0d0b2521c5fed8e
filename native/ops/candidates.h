// Candidates of several requests as rerankers read them: item embeddings and item features by row index. Inputs, in
// this order:
//   embeddings        int8 [n, >= D] | float16 [n, D] | float32 [n, D]
//   embedding_scales  float32 [n]          with int8 only, else absent: i = float(q) * scale
//   embedding_index   int32 [batch, m]     row of `embeddings` of each candidate, -1 for a missing candidate
//   features          float32 [items, F]   optional
//   feature_index     int32 [batch, m]     row of `features`, given exactly when `features` is; ignored where the
//                                          candidate is missing
#pragma once

#include "ops/check.h"

namespace silverlode {

struct Candidates {
  const void* embeddings;
  const float* embedding_scales;  // null unless int8
  const int32_t* embedding_index;
  const float* features;         // may be null
  const int32_t* feature_index;  // may be null
  int64_t batch, candidates, dim /* D */, embedding_stride /* elements per row */, embedding_rows, n_features,
      feature_rows;
  DType embedding_dtype;
};

constexpr size_t kCandidateInputs = 5;

// Checks `given` (the five inputs) but for D; gives the number of features.
Status check_candidates(const char* op, Inputs given, int64_t batch, int64_t& n_features);
// Checks embeddings and scales for D = dim.
Status check_embeddings(const char* op, Inputs given, int64_t dim);
void bind_candidates(Inputs given, int64_t dim, Candidates& candidates);

}  // namespace silverlode
