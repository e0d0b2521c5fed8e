// rescore: scores of candidates from float rows, finer than those of int8 ones: what came back from a search in its final order.
//
//   0 users     float32 [batch, heads, D]          of unit length for metric cosine
//   1 vectors   float16 or float32 [n, D]          items as they were given
//   2 index     int32 [batch, m]                   row of `vectors` of each candidate, -1 for a missing one
//   -> scores   float32 [batch, m]                 the best over heads; -Infinity where missing
//
// Inner product q·x; cosine q·x / |x|, 0 for a zero row; l2 -|q - x|². Sums are float32: 32 partial sums, by d mod 32, each over
// ascending d with a rounding after every product and every addition; then the upper half of them is added to the lower one,
// until one is left. So every SIMD level and every device gives the same bits. |x| is the square root of such a sum in
// float64, where no float32 overflows or vanishes when squared, and the quotient is rounded to float32 once. A score that is
// NaN counts as -Infinity. Rows out of range: INVALID_ARGUMENT when the op runs, before any write.
#pragma once

#include "ops/metric.h"
#include "ops/op.h"

namespace silverlode {

struct Rescore {
  static constexpr const char* kName = "rescore";
  static constexpr int64_t kLanes = 32;  // partial sums

  struct Params {
    Metric metric = Metric::kInnerProduct;
  };
  struct Args {
    const float* users;
    const void* vectors;
    const int32_t* index;
    float* scores;
    int64_t batch, heads, candidates, dim, rows;
    bool half;  // float16 vectors
    Metric metric;
  };

  // From the sum of products, or of squared differences, and the row's length (cosine).
  static constexpr float score_of(Metric metric, float sum, double length) {
    if (metric == Metric::kL2) return -sum;
    if (metric == Metric::kInnerProduct) return sum;
    return length == 0 ? 0.0f : static_cast<float>(static_cast<double>(sum) / length);
  }

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
