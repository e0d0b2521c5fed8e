// ivf_search: probe, filter, scan and select in rounds, until enough of the true list is found (contracts 3 and 6).
//
//   0 queries          int8    [batch, heads, Dp]
//   1 query_scales     float32 [batch, heads]
//   2 query_offsets    float32 [batch, heads]  optional: added to every score of a head that is returned
//   3 centroids        int8    [C, Dp]
//   4 centroid_scales  float32 [C]
//   5 centroid_bias    float32 [C]       optional (metric l2)
//   6 cluster_begin    int32   [C + 1]   first row of each cluster, multiples of 64; the last entry ends the last cluster
//   7 cluster_stats    float32 [5, C]    see recall_estimate.h
//   8 tail             int32   [256]     see recall_estimate.h
//   9 rows             int8    [N, Dp]   sorted by cluster
//  10 row_scales       float32 [N]
//  11 row_bias         float32 [N]       optional
//  12 ordinals         int32   [N]       publish order of the item in a row, -1 for padding
//  13 live             int64   [W]       one bit per row: 0 for padding and deleted rows
//  14 limits           int32   [batch]   at most this many candidates per head of a request, clamped to k
//  15 probes           int32   [batch]   see below
//  16 allowed_misses   float32 [batch]   see below
//  17 min_candidates   int32   [batch]   eligible rows to reach
//  18 exact            int32   [batch]   0 skips the exact check of doubtful rows
//  19 plan_index       int32   [batch]   plan of each request, -1 for none
//  20 plan_offsets     int32   [plans + 1]
//  21 plan_steps       int64   [steps, 4]
//  22 exclude_offsets  int32   [batch]   where the rows of each request begin, ascending from 0
//  23 exclude_rows     int32   [...]     rows never returned to the request; negative entries are ignored
//  24-30               the filter index, see filter_index.h
//
//   -> 0 scores    float32 [batch, heads, k]
//   -> 1 ordinals  int32   [batch, heads, k]  sorted by (score descending, ordinal ascending), padded with -Infinity, -1
//   -> 2 counts    int32   [batch, heads]     clusters scanned
//   -> 3 stats     int64   [batch, 5]         clusters scanned by any head; eligible rows in them; live rows the filter was
//                                             evaluated on; doubtful rows (hi & ~lo) among them; rows scored, all heads together
//   -> 4 misses    float32 [batch]            rows of the true list expected elsewhere, mean over heads; 0 for a head that has
//                                             looked at every cluster, and where nothing is estimated (allowed_misses < 0)
//
// Clusters are ranked by what their best members are expected to score (ties: lower id). A head scans them in that order in
// rounds that depend on rank alone: `first_round` of them, then a third more each time.
//   allowed_misses >= 0   a head stops at the end of the first round after which it holds limits[b] rows, has seen
//                         min_candidates eligible ones and expects no more than so many rows of its true list elsewhere
//                         (recall_estimate.h). Clusters without an eligible row cost only the filter. `probes` is not read.
//                         With limit 0 it stops after its first round.
//   allowed_misses < 0    as in ivf_probe.h: the `probes` nearest clusters, then further ones up to min_candidates eligible
//   (or NaN)              rows; probes <= 0 scans every cluster with an eligible row.
// A head decides from its own query and request alone, so answers do not depend on the batch.
//
// Scores as in metric.h, each query_offset added with one rounding after selection. Errors as in ivf_probe.h and ivf_scan.h,
// and INVALID_ARGUMENT for a tail entry outside [0, 2^20]; all before any write. Polls for cancellation.
#pragma once

#include "ops/ivf_probe.h"
#include "ops/ivf_scan.h"

namespace silverlode {

struct IvfSearch {
  static constexpr const char* kName = "ivf_search";

  struct Params {
    Metric metric = Metric::kInnerProduct;
    int64_t hashes = 0;
    int64_t k = 1;  // may be symbolic
    int64_t first_round = 1;
  };
  struct Args {
    IvfProbe::Args probe;        // its outputs are null: backends keep them in their workspace
    IvfScan::Args scan;          // its outputs are those of the search; its clusters and masks are null
    const float* query_offsets;  // may be null
    const float* cluster_stats;
    const int32_t* tail;
    const float* allowed_misses;
    int32_t* out_counts;
    int64_t* out_stats;
    float* out_misses;
    int64_t first_round;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
