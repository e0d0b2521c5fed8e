// Kernels by instruction set. Each family is a struct of function pointers with one filled instance per level
// (`<family>_<isa>.cpp`, the only files compiled with ISA flags); simd_table.cpp picks at run time. All levels of a family give
// the same bits.
#pragma once

#include "backends/cpu/simd/filter_kernels.h"
#include "backends/cpu/simd/float_kernels.h"
#include "backends/cpu/simd/int8_kernels.h"

namespace silverlode::cpu {

enum class SimdLevel : int32_t { kSerial = 0, kAvx2 = 1, kAvx512Vnni = 2, kNeon = 3 };

struct SimdTable {
  SimdLevel level;
  const char* name;  // "serial", "avx2", "avx512vnni", "neon"
  Int8Kernels int8;
  FloatKernels floats;
  FilterKernels filter;
};

bool simd_supported(SimdLevel level);  // compiled in and offered by this processor
SimdLevel best_simd_level();
const SimdTable& simd_table(SimdLevel level);  // level must be supported

}  // namespace silverlode::cpu
