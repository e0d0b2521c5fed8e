// Float tensors stored as another float dtype: operands of a product must have one.
#pragma once

#include "backends/cuda/runtime.h"
#include "core/dtype.h"

namespace silverlode::cuda {

// n elements of `from` as `to`, rounded to nearest even; beyond float16's range they are infinite.
Status convert(const Runtime& device, const void* from, DType from_dtype, void* to, DType to_dtype, int64_t n);

}  // namespace silverlode::cuda
