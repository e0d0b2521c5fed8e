// top_k: the k best entries of every row, sorted (contracts 1.4).
//
//   scores   float32 [..., n]
//   payload  int32   [..., n]  optional: the id of each entry; -1 marks a missing entry, which is never returned
//   -> scores    float32 [..., k]
//   -> ids       int32   [..., k]  payload of the entry, or its column without a payload
//   -> positions int32   [..., k]  column of the entry
//
// Order: score descending, then id ascending, then column ascending; -0 equals +0; NaN ranks last. Rows with fewer than
// k entries are padded with score -Infinity, id -1, position -1. k may be symbolic and may exceed n. Exact for every k.
// Scores come back from their rank keys (core/order.h): -0 as +0, NaN as the quiet NaN.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct TopK {
  static constexpr const char* kName = "top_k";

  struct Params {
    int64_t k = 1;
  };
  struct Args {
    const float* scores;
    const int32_t* payload;  // null without one, and while a run is planned
    bool has_payload;
    float* out_scores;
    int32_t* out_ids;
    int32_t* out_positions;
    int64_t rows, columns, k;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
