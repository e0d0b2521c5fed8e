// filter_check: the exact mask from a pair (lo, hi): every row in hi & ~lo is looked up in its exact terms.
//
//   0 lo  int64 [plans, W]   1 hi  int64 [plans, W]
//   2 plan_offsets  int32 [plans + 1]   3 plan_steps  int64 [steps, 4]
//   4-10  the filter index, see filter_index.h
//   -> mask  int64 [plans, W]
#pragma once

#include "ops/filter_index.h"

namespace silverlode {

struct FilterCheck {
  static constexpr const char* kName = "filter_check";

  struct Params {
    int64_t hashes = 0;
  };
  struct Args {
    FilterPlansRef plans;
    FilterIndexRef filter;
    const uint64_t* lo;
    const uint64_t* hi;
    uint64_t* mask;
    int64_t words;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
