// ivf_scan: exact int8 scores of the eligible rows of the probed clusters, fused with mask and selection.
//
//   0 queries        int8    [batch, heads, Dp]
//   1 query_scales   float32 [batch, heads]
//   2 rows           int8    [N, Dp]          sorted by cluster
//   3 row_scales     float32 [N]
//   4 row_bias       float32 [N]              optional
//   5 ordinals       int32   [N]              publish order of the item in a row, -1 for padding
//   6 cluster_begin  int32   [C + 1]
//   7 live           int64   [W]
//   8 clusters       int32   [batch, heads, C]
//   9 counts         int32   [batch, heads]
//  10 mask           int64   [batch, W]
//  11 mask_of        int32   [batch]
//  12 limits         int32   [batch]          at most this many candidates per head of a request, clamped to k
//
//   -> 0 scores    float32 [batch, heads, k]
//   -> 1 ordinals  int32   [batch, heads, k]  sorted by (score descending, ordinal ascending), padded with -Infinity, -1
//   -> 2 scanned   int64   [batch]            rows scored for the request, all heads together
//
// Scores as in metric.h. Rows outside the mask never take part; they may be read along with their neighbours. Clusters
// start and end at multiples of 64 rows; one listed twice counts once. A request with limit 0 scans nothing. Scores come
// back from their rank keys (core/order.h): -0 as +0, NaN as the quiet NaN. Clusters, counts or mask_of out of range:
// INVALID_ARGUMENT when the op runs, before any write. Polls for cancellation.
#pragma once

#include "ops/metric.h"
#include "ops/op.h"

namespace silverlode {

struct IvfScan {
  static constexpr const char* kName = "ivf_scan";

  struct Params {
    Metric metric = Metric::kInnerProduct;
    int64_t k = 1;  // may be symbolic
  };
  struct Args {
    const int8_t* queries;
    const float* query_scales;
    const int8_t* rows;
    const float* row_scales;
    const float* row_bias;  // may be null
    const int32_t* ordinals;
    const int32_t* cluster_begin;
    const uint64_t* live;
    const int32_t* clusters;
    const int32_t* counts;
    const uint64_t* mask;
    const int32_t* mask_of;
    const int32_t* limits;
    float* out_scores;
    int32_t* out_ordinals;
    int64_t* out_scanned;
    int64_t batch, heads, dim /* Dp */, n_rows, n_clusters, words, k;
    Metric metric;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
