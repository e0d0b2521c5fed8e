// update_centroids: means of the rows of each cluster, the second half of a Lloyd iteration.
//
//   rows      float32 [N, D]
//   clusters  int32   [N]      in [0, C)
//   -> centroids  float32 [C, D]
//   -> sizes      int32   [C]  before re-seeding
//
// Sums are float64 in ascending row order. An empty cluster is re-seeded by splitting the largest cluster that is left:
// both halves get its mean, moved apart by a factor 1 ± 1/1024 in alternating dimensions, and half its size.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct UpdateCentroids {
  static constexpr const char* kName = "update_centroids";

  struct Params {
    int64_t clusters = 1;  // C
  };
  struct Args {
    const float* rows;
    const int32_t* clusters;
    float* centroids;
    int32_t* sizes;
    int64_t n_rows, dim, n_clusters;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
