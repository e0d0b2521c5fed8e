// update_centroids: means of the rows of each cluster, the second half of a Lloyd iteration.
//
//   rows      float32 [N, D]   N >= 1
//   clusters  int32   [N]      in [0, C), checked
//   -> centroids  float32 [C, D]
//   -> sizes      int32   [C]  before re-seeding
//
// Sums are float64 in ascending row order, and the mean is rounded once. Empty clusters are re-seeded in ascending
// order, each by splitting the largest cluster that is left (ties: lower id): both halves get its centroid, moved apart
// by a factor 1 ± 1/1024 in alternating dimensions (the old one: + in even dimensions, the new one: -), and half its
// size, the old one the larger half.
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
