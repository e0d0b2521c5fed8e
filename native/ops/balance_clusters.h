// balance_clusters: one cluster per row, none larger than a cap (contracts 2): rows that find their nearest cluster
// full spill to the next nearest one.
//
//   nearest  int32   [N, m]    from assign_clusters: in [0, C), checked; -1 ends a row's choices
//   scores   float32 [N, m]
//   -> clusters  int32 [N]
//
// A full cluster keeps the rows that would lose most by moving on (score of this choice minus score of the next,
// Infinity for the last choice), ties: lower row. This is the stable matching of rows and clusters, so the order in
// which rows are placed does not matter. Rows that find all m choices full go, in ascending order, to the least loaded
// cluster, lowest id. C * cap >= N is required.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct BalanceClusters {
  static constexpr const char* kName = "balance_clusters";

  struct Params {
    int64_t clusters = 1;  // C
    int64_t cap = 0;
  };
  struct Args {
    const int32_t* nearest;
    const float* scores;
    int32_t* clusters;
    int64_t n_rows, choices, n_clusters, cap;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
