// bloom_probe: rows whose signature matches a term: a superset of the rows that hold it.
//
//   bloom    int64 [positions, 8], offsets int64 [blocks + 1]
//   hashes   int64 [terms]         64-bit term hashes
//   -> hits  int64 [terms, 8 * blocks]
#pragma once

#include "ops/op.h"

namespace silverlode {

struct BloomProbe {
  static constexpr const char* kName = "bloom_probe";

  struct Params {
    int64_t hashes = 4;
  };
  struct Args {
    const uint64_t* bloom;
    const int64_t* offsets;
    const int64_t* term_hashes;
    uint64_t* hits;
    int64_t blocks, positions, n_terms;
    int32_t hashes;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
