// ivf_probe: which clusters each query looks at, and which of their rows are eligible (contracts 3, "Probe, then filter" and
// "Eligibility-aware probing"; SilverTorch section on co-design).
//
//   0 queries          int8    [batch, heads, Dp]
//   1 query_scales     float32 [batch, heads]
//   2 centroids        int8    [C, Dp]
//   3 centroid_scales  float32 [C]
//   4 centroid_bias    float32 [C]       optional (metric l2)
//   5 cluster_begin    int32   [C + 1]   first row of each cluster, multiples of 64; the last entry ends the last cluster
//   6 live             int64   [W]       one bit per row: 0 for padding and deleted rows
//   7 probes           int32   [batch]   clusters per head, at most C; 0 or less: every cluster with an eligible row
//   8 min_candidates   int32   [batch]   eligible rows to reach
//   9 exact            int32   [batch]   0 skips the exact check of doubtful rows
//  10 plan_index       int32   [batch]   plan of each request, -1 for none
//  11 plan_offsets     int32   [plans + 1]
//  12 plan_steps       int64   [steps, 4]
//  13 exclude_offsets  int32   [batch]   where the rows of each request begin, ascending from 0
//  14 exclude_rows     int32   [...]     rows never returned to the request; negative entries are ignored
//  15-21               the filter index, see filter_index.h (ops without filter pass empty tensors)
//
//   -> 0 clusters  int32 [batch, heads, C]  first `counts` entries valid, in the order looked at
//   -> 1 counts    int32 [batch, heads]
//   -> 2 mask      int64 [batch, W]         eligible rows; valid only in the words of the request's clusters
//   -> 3 mask_of   int32 [batch]            mask row of a request: its own, that of an earlier request with the same plan and
//                                           nothing excluded, or -1: `live` itself
//   -> 4 stats     int64 [batch, 4]         clusters probed by any head; eligible rows in them; live rows the filter was
//                                           evaluated on; doubtful rows (hi & ~lo) among them
//
// Every head takes its `probes` nearest clusters (int8 scores as in metric.h, ties: lower id). While a head has seen fewer
// than min_candidates eligible rows it goes on to the next nearest cluster; a cluster without any eligible row costs only
// the filter and is not listed beyond the first `probes`. eligible = plan & live & ~exclude, exact unless exact = 0.
// With probes = 0 a head looks at all clusters, whatever min_candidates is, and lists those with an eligible row in the order
// of their ids: no centroid is scored, which is the fastest where few rows are eligible.
// Requests share a mask row when plan and exact are equal. Stats are the same in any batch: they count the clusters that a
// request looked at in its own order, whoever evaluated them; the last two are 0 without a plan.
//
// Rows to exclude that are N or more, plans out of range, bad steps, offsets or cluster bounds: INVALID_ARGUMENT when the
// op runs, before anything is written.
#pragma once

#include "ops/filter_index.h"
#include "ops/metric.h"

namespace silverlode {

struct IvfProbe {
  static constexpr const char* kName = "ivf_probe";

  struct Params {
    Metric metric = Metric::kInnerProduct;
    int64_t hashes = 0;
  };
  struct Args {
    const int8_t* queries;
    const float* query_scales;
    const int8_t* centroids;
    const float* centroid_scales;
    const float* centroid_bias;  // may be null
    const int32_t* cluster_begin;
    const uint64_t* live;
    const int32_t* probes;
    const int32_t* min_candidates;
    const int32_t* exact;
    const int32_t* plan_index;
    const int32_t* exclude_offsets;
    const int32_t* exclude_rows;
    FilterPlansRef plans;
    FilterIndexRef filter;
    int32_t* clusters;
    int32_t* counts;
    uint64_t* mask;
    int32_t* mask_of;
    int64_t* stats;
    int64_t batch, heads, dim /* Dp */, n_clusters, words, n_exclude;
    Metric metric;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
