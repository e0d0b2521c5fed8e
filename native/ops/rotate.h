// rotate: rows multiplied by a randomised Hadamard matrix, after the mean of a catalogue is subtracted where asked for.
//
//   values  float32 [..., D]
//   signs   int8 [Dp]              Dp = D rounded up to 32; 1 or -1 each makes the matrix orthogonal
//   mean    float32 [D]            optional where nothing is subtracted
//   -> rotated float32 [..., Dp]   of v
//   -> offsets float32 [...]
//   -> factors float32 [...]
//
//   subtract              v                   offsets              factors
//   "nothing" (default)   values              values * mean        1          0 offsets without a mean
//   "mean"                values - mean       v * mean             1
//   "aligned"             values / a - mean   values * mean / a    a
//
// a brings the part of the values along the mean to the length of the mean, which then leaves nothing of it: a = values * mean /
// |mean|², at least |values| / |mean| / 32, so that a is positive whatever the values; rounded to float32; 1 where
// the mean is zero. Where a is 0 or not finite, as for zero rows, it counts as 0, and v and the offset are 0. Products and squares are summed in float64, ascending, and rounded once.
//
// v is multiplied by the signs, padded with zeros to Dp, and cut into blocks whose sizes are the powers of two in Dp, the
// largest first (96 = 64 + 32). In a block of n every step h = n/2, n/4, …, 1 turns each pair (a, b) of elements h apart, a in
// an even run of h, into (a + b, a - b); then all are multiplied by float(1 / sqrt(n)). Every operation is rounded to float32
// once and none is contracted, so that every device gives the same bits. NaN and Infinity spread over their block.
//
// Lengths, distances and inner products stay what they were (up to rounding), while one large coordinate is spread over all:
// int8 rows with one scale lose less (Ailon and Chazelle, The fast Johnson-Lindenstrauss transform, 2009). With rows of
// "mean" a query of "nothing" scores values * (row - mean) + offset, and one of "aligned" (v * (row - mean) + product + offset)
// * factor, where the product of the row, its own offset, is exact however long the mean is.
#pragma once

#include <bit>
#include <limits>

#include "ops/op.h"

namespace silverlode {

struct Rotate {
  static constexpr const char* kName = "rotate";
  static constexpr int64_t kPadTo = 32;

  enum class Subtract : int32_t { kNothing = 0, kMean, kAligned };
  struct Params {
    Subtract subtract = Subtract::kNothing;
  };
  struct Args {
    const float* values;
    const int8_t* signs;
    const float* mean;  // null for none
    float* rotated;
    float* offsets;
    float* factors;
    int64_t rows, dim, padded_dim;
    Subtract subtract;
  };

  // constexpr, so that CUDA kernels may call them too: the factor a from values * mean / |mean|² and |values| / |mean|; the
  // first block of what is left of a row, and what its elements are multiplied by.
  static constexpr float aligned_factor(double share, double lengths) {
    const double least = lengths / 32;
    const auto factor = static_cast<float>(share > least ? share : least);
    return factor > 0.0f && factor <= std::numeric_limits<float>::max() ? factor : 0.0f;
  }
  static constexpr int64_t block_size(int64_t left) {
    return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(left)));
  }
  static constexpr float block_scale(int64_t size) {
    float scale = 1.0f;
    for (; size >= 4; size /= 4) scale *= 0.5f;
    return size == 2 ? scale * 0.70710678118654752f : scale;
  }

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
