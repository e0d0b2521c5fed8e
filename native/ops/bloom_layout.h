// bloom_layout: how wide the Bloom signature of every block of 512 rows is.
//
//   term_offsets   int32 [N + 1]   N a multiple of 512
//   -> offsets     int64 [N / 512 + 1]  prefix sums of widths (positions); a block without terms has width 0
//
// The width follows the block's own load: ceil(bits_per_term * terms), where `terms` is the number of terms at the 95th
// percentile of the block's non-empty rows (the smallest that 95 % of them do not exceed). So a row with unusually many
// terms raises only its own false-positive rate (the exact check keeps results right) and not its neighbours' memory.
// At least kMinBloomWidth, since few positions make the hashes of a term collide; at most kMaxBloomWidth.
#pragma once

#include "ops/op.h"

namespace silverlode {

constexpr int64_t kMinBloomWidth = 16;
constexpr int64_t kMaxBloomWidth = 1 << 16;

struct BloomLayout {
  static constexpr const char* kName = "bloom_layout";

  struct Params {
    double bits_per_term = 12;
  };
  struct Args {
    const int32_t* term_offsets;
    int64_t* offsets;
    int64_t rows;
    double bits_per_term;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
