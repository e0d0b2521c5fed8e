// Every instruction that CUDA C++ has no word for, each with what it does under the emulation. The only file with inline PTX.
#pragma once

#include "backends/cuda/launch.h"

namespace silverlode::cuda {

// d += a b for int8 tiles of 16 x 32 (row-major) and 32 x 8 (column-major), by a whole warp. Needs compute capability 8.0:
// below it traps, and the launcher has another kernel.
__device__ __forceinline__ void mma_m16n8k32_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(SILVERLODE_EMULATION)
  emulation::mma_m16n8k32_s8(d, a, b);
#elif __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)d, (void)a, (void)b;
  __trap();
#endif
}

// Loads of data that is read once: they do not displace what is in the first-level cache.
__device__ __forceinline__ uint4 load_once(const uint4* from) {
#ifdef SILVERLODE_EMULATION
  return *from;
#else
  uint4 value;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
      : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
      : "l"(from));
  return value;
#endif
}

__device__ __forceinline__ uint2 load_once(const uint2* from) {
#ifdef SILVERLODE_EMULATION
  return *from;
#else
  uint2 value;
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(value.x), "=r"(value.y) : "l"(from));
  return value;
#endif
}

}  // namespace silverlode::cuda
