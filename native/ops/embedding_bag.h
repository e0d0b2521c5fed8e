// embedding_bag: sum or mean of table rows per bag.
//
//   table    float32 | float16 | bfloat16 [V, D]
//   ids      int32 [n]
//   offsets  int32 [bags]         where each bag starts, ascending from 0; a bag ends where the next one starts
//   weights  float32 [n] optional
//   -> y     float32 [bags, D]
//
// The last bag ends at n. Rows are added in order of ids (weights by fma); mean divides by the number of ids, or by the sum
// of weights when given (float32, in order); an empty bag gives zeros. Without bags n must be 0. An id outside [0, V) or
// bad offsets: INVALID_ARGUMENT when the op runs.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct EmbeddingBag {
  static constexpr const char* kName = "embedding_bag";

  enum class Mode : int32_t { kSum = 0, kMean = 1 };
  struct Params {
    Mode mode = Mode::kSum;
  };
  struct Args {
    const void* table;
    const int32_t* ids;
    const int32_t* offsets;
    const float* weights;  // may be null
    float* y;
    int64_t vocabulary, dim, bags, n_ids;
    DType table_dtype;
    Mode mode;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
