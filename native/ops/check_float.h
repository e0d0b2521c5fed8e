// The check for weights and tables that may be stored in half precision.
#pragma once

#include "ops/check.h"

namespace silverlode {

inline Status check_float_dtype(const char* op, const char* input, const TensorView& view) {
  switch (view.dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16: return ok_status();
    case DType::kNone: return make_error(Code::kInvalidArgument, "%s: input '%s' is missing", op, input);
    default:
      return make_error(Code::kUnsupportedDtype, "%s: input '%s' must be float32, float16 or bfloat16, got %s", op,
                        input, dtype_name(view.dtype));
  }
}

// An optional float32 vector of `dim` elements.
inline Status check_optional_vector(const char* op, const char* input, const TensorView& view, int64_t dim) {
  return view.absent() ? ok_status() : check_tensor(op, input, view, DType::kF32, {dim});
}

}  // namespace silverlode
