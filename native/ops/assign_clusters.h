// assign_clusters: the m nearest centroids of every row by Euclidean distance.
//
//   rows       float32 [N, D]
//   centroids  float32 [C, D]
//   -> clusters  int32   [N, m]   nearest first; ties: lower id; -1 beyond C
//   -> scores    float32 [N, m]   x·c - |c|²/2 (larger is nearer); -Infinity beyond C
//
// x·c is one fma chain over ascending d; |c|²/2 is accumulated in float64, ascending, and rounded once; their
// difference is rounded once: equal at any thread count and level. Inputs are finite; a score that overflows to NaN
// counts as -Infinity. Polls for cancellation and reports progress.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct AssignClusters {
  static constexpr const char* kName = "assign_clusters";
  static constexpr int64_t kMaxNearest = 16;

  struct Params {
    int64_t nearest = 1;  // m, in [1, kMaxNearest]
  };
  struct Args {
    const float* rows;
    const float* centroids;
    int32_t* clusters;
    float* scores;
    int64_t n_rows, n_clusters, dim, nearest;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
