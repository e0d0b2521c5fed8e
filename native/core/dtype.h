// Element types of tensors: exactly those a model file may hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace silverlode {

enum class DType : uint8_t { kNone = 0, kF32, kF16, kBF16, kI8, kU8, kI32, kI64 };

constexpr size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32: return 4;
    case DType::kF16:
    case DType::kBF16: return 2;
    case DType::kI8:
    case DType::kU8: return 1;
    case DType::kI64: return 8;
    case DType::kNone: return 0;
  }
  return 0;
}

// "float32", "float16", "bfloat16", "int8", "uint8", "int32", "int64"; kNone for anything else.
const char* dtype_name(DType dtype);
DType dtype_from_name(const char* name);

}  // namespace silverlode
