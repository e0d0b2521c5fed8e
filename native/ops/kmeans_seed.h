// kmeans_seed: k-means++ start (Arthur and Vassilvitskii 2007): each next centroid is a row drawn with probability
// proportional to its squared distance from the centroids chosen so far.
//
//   rows  float32 [N, D]
//   -> chosen  int32 [C]   distinct rows while there are any with distance > 0; then the lowest unused rows. C <= N
//
// The first centroid is drawn uniformly. Squared distances are |x|² + |c|² - 2x·c in float32, at least 0; each product
// is one fma chain over ascending d, so a row and its copies are at distance exactly 0. Deterministic for a seed at any
// thread count and level. Polls for cancellation and reports progress.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct KmeansSeed {
  static constexpr const char* kName = "kmeans_seed";

  struct Params {
    int64_t clusters = 1;
    int64_t seed = 0;
  };
  struct Args {
    const float* rows;
    int32_t* chosen;
    int64_t n_rows, dim, n_clusters;
    uint64_t seed;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
