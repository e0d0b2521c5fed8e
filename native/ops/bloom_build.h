// bloom_build: bit-sliced Bloom signatures (layout and positions: filter_index.h).
//
//   term_offsets  int32 [N + 1], terms int32 [nnz]   CSR of rows
//   term_hashes   int64 [T]
//   offsets       int64 [N / 512 + 1]                from bloom_layout
//   -> bloom      int64 [positions, 8]               positions = offsets[last], given as attribute
#pragma once

#include "ops/op.h"

namespace silverlode {

struct BloomBuild {
  static constexpr const char* kName = "bloom_build";

  struct Params {
    int64_t hashes = 4;
    int64_t positions = 0;
  };
  struct Args {
    const int32_t* term_offsets;
    const int32_t* terms;
    const int64_t* term_hashes;
    const int64_t* offsets;
    uint64_t* bloom;
    int64_t rows, n_entries, n_terms, positions;
    int32_t hashes;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
