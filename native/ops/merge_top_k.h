// merge_top_k: several candidate lists per request become one, each item once (contracts 1.5).
//
//   scores   float32 [batch, lists, n]
//   ids      int32   [batch, lists, n]   -1 marks a missing entry
//   counts   int32   [batch]  optional: at most this many entries are kept for a request
//   -> scores  float32 [batch, k]
//   -> ids     int32   [batch, k]
//   -> sources int32   [batch, k]        the list an entry came from
//
// An item found several times keeps its best score, the lower list on a tie. Lists need not be sorted. Order, padding
// (sources -1) and returned scores as in top_k.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct MergeTopK {
  static constexpr const char* kName = "merge_top_k";

  struct Params {
    int64_t k = 1;
  };
  struct Args {
    const float* scores;
    const int32_t* ids;
    const int32_t* counts;  // may be null
    float* out_scores;
    int32_t* out_ids;
    int32_t* out_sources;
    int64_t batch, lists, columns, k;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
