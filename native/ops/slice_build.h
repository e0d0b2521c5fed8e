// slice_build: exact bit slices of terms.
//
//   term_offsets  int32 [N + 1]     rows' terms as CSR, N a multiple of 512
//   terms         int32 [nnz]       term ids in [0, T)
//   slice_of_term int32 [T]         slice of a term, -1 for none; several terms may share one (EXISTS slices)
//   -> slices     int64 [S, N / 64] bit r % 64 of word r / 64
#pragma once

#include "ops/op.h"

namespace silverlode {

struct SliceBuild {
  static constexpr const char* kName = "slice_build";

  struct Params {
    int64_t slices = 0;  // S
  };
  struct Args {
    const int32_t* term_offsets;
    const int32_t* terms;
    const int32_t* slice_of_term;
    uint64_t* slices;
    int64_t rows, n_entries, n_terms, n_slices;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
