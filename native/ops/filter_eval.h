// filter_eval: plans over the whole catalogue as pairs (lo, hi): `lo` certainly matches, `~hi` certainly does not.
//
//   0 plan_offsets  int32 [plans + 1]     1 plan_steps  int64 [steps, 4]
//   2 live          int64 [W]
//   3-9             the filter index, see filter_index.h
//   -> lo  int64 [plans, W]   -> hi  int64 [plans, W]     both ANDed with live
//
// Bloom term (0, hits), exact leaf (x, x), NOT (~hi, ~lo), AND and OR bitwise. W and the index are never symbolic; when the
// length of plan_offsets is, the attribute `plans` names the number of plans.
#pragma once

#include "ops/filter_index.h"

namespace silverlode {

struct FilterEval {
  static constexpr const char* kName = "filter_eval";

  static constexpr int64_t kFromOffsets = INT64_MIN;

  struct Params {
    int64_t hashes = 0;
    int64_t plans = kFromOffsets;
  };
  struct Args {
    FilterPlansRef plans;
    FilterIndexRef filter;
    const uint64_t* live;
    uint64_t* lo;
    uint64_t* hi;
    int64_t words;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
