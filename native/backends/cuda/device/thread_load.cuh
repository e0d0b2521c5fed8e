// Elements of float tensors of any dtype, read as float32 (exact) and written from it (rounded to nearest even).
#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "backends/cuda/device/ptx.cuh"
#include "core/dtype.h"

namespace silverlode::cuda {

// The stored type of an element, for kernels that are compiled once per dtype.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(Float16 value) { return widen_f16(value.bits); }
__device__ __forceinline__ float to_float(BFloat16 value) { return bf16_to_float(value.bits); }

template <class T>
__device__ __forceinline__ T from_float(float value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return value;
  } else if constexpr (std::is_same_v<T, Float16>) {
    return {narrow_f16(value)};
  } else {
    return {float_to_bf16(value)};
  }
}

// Calls use(T{}) with the type of a float dtype.
template <class Use>
auto with_float_type(DType dtype, Use use) {
  switch (dtype) {
    case DType::kF16: return use(Float16{});
    case DType::kBF16: return use(BFloat16{});
    default: return use(float{});
  }
}

}  // namespace silverlode::cuda
