// gather_rows: rows of a table by index.
//
//   table  any dtype [n, ...rest]            or, with batch_dims = 1, [batch, n, ...rest]
//   index  int32     [...index]              or [batch, m]
//   tail   optional, dtype of table [t, ...rest]: the rows n to n + t - 1, so that a table may lie in two parts; batch_dims 0
//   -> rows  dtype of table [...index, ...rest]   or [batch, m, ...rest]
//
// A negative index gives zero bytes, or `missing` for an int32 table (default 0). An index >= n is INVALID_ARGUMENT when
// the op runs, n + t with a tail.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct GatherRows {
  static constexpr const char* kName = "gather_rows";

  struct Params {
    int64_t batch_dims = 0;
    int64_t missing = 0;
  };
  struct Args {
    const uint8_t* table;
    const uint8_t* tail;  // may be null
    const int32_t* index;
    uint8_t* rows;
    int64_t batch, table_rows, tail_rows, index_rows, row_bytes;  // index_rows per batch entry
    int32_t missing;  // pattern of 4 bytes for a negative index (int32 tables)
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

}  // namespace silverlode
