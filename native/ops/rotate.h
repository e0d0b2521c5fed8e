// rotate: rows multiplied by a randomised Hadamard matrix, after the mean of a catalogue is subtracted where asked for.
//
//   values  float32 [..., D]
//   signs   int8 [Dp]              Dp = D rounded up to 32; 1 or -1 each makes the matrix orthogonal
//   mean    float32 [D]            optional
//   -> rotated float32 [..., Dp]   of v = values - mean where `centre` is 1 (default 0), else of v = values
//   -> offsets float32 [...]       float(sum of values * mean), summed in float64, ascending; 0 without a mean
//
// v is multiplied by the signs, padded with zeros to Dp, and cut into blocks whose sizes are the powers of two in Dp, the
// largest first (96 = 64 + 32). In a block of n every step h = n/2, n/4, …, 1 turns each pair (a, b) of elements h apart, a in
// an even run of h, into (a + b, a - b); then all are multiplied by float(1 / sqrt(n)). Every operation is rounded to float32
// once and none is contracted, so that every device gives the same bits. NaN and Infinity spread over their block.
//
// Lengths, distances and inner products stay what they were (up to rounding), while one large coordinate is spread over all:
// int8 rows with one scale lose less (Ailon and Chazelle, The fast Johnson-Lindenstrauss transform, 2009).
#pragma once

#include <bit>

#include "ops/op.h"

namespace silverlode {

struct Rotate {
  static constexpr const char* kName = "rotate";
  static constexpr int64_t kPadTo = 32;

  struct Params {
    int64_t centre = 0;
  };
  struct Args {
    const float* values;
    const int8_t* signs;
    const float* mean;  // null for none
    float* rotated;
    float* offsets;
    int64_t rows, dim, padded_dim;
    bool centre;
  };

  // The first block of what is left of a row, and what its elements are multiplied by. constexpr, so that CUDA kernels may
  // call them too.
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
