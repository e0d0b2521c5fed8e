#include "core/dtype.h"

#include <cstring>

namespace silverlode {

namespace {
struct Named {
  DType dtype;
  const char* name;
};
constexpr Named kNames[] = {{DType::kF32, "float32"}, {DType::kF16, "float16"}, {DType::kBF16, "bfloat16"},
                            {DType::kI8, "int8"},     {DType::kU8, "uint8"},    {DType::kI32, "int32"},
                            {DType::kI64, "int64"}};
}  // namespace

const char* dtype_name(DType dtype) {
  for (const Named& named : kNames) {
    if (named.dtype == dtype) return named.name;
  }
  return "none";
}

DType dtype_from_name(const char* name) {
  for (const Named& named : kNames) {
    if (std::strcmp(named.name, name) == 0) return named.dtype;
  }
  return DType::kNone;
}

}  // namespace silverlode
