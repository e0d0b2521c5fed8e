// Every instruction that CUDA C++ has no word for, each with what it does under the emulation. The only file with inline PTX.
#pragma once

#include "backends/cuda/launch.h"

namespace silverlode::cuda {

#ifdef SILVERLODE_EMULATION
// The fragments of one lane, as the PTX manual lays them out ("Matrix Fragments for mma.m16n8k32").
struct MmaFragments {
  int32_t* d;
  const uint32_t* a;
  const uint32_t* b;
};

inline int8_t fragment_byte(uint32_t word, int i) { return static_cast<int8_t>(word >> (8 * i)); }

inline void run_mma_m16n8k32(emulation::Warp& warp, unsigned mask) {
  int8_t a[16][32];
  int8_t b[8][32];
  emulation::for_each_lane<MmaFragments>(warp, mask, [&](const MmaFragments& own, int lane) {
    const int group = lane / 4;
    for (int i = 0; i < 4; ++i) {
      const int k = lane % 4 * 4 + i;
      for (int r = 0; r < 4; ++r) a[group + r % 2 * 8][k + r / 2 * 16] = fragment_byte(own.a[r], i);
      for (int r = 0; r < 2; ++r) b[group][k + r * 16] = fragment_byte(own.b[r], i);
    }
  });
  emulation::for_each_lane<MmaFragments>(warp, mask, [&](const MmaFragments& own, int lane) {
    for (int r = 0; r < 4; ++r) {
      uint32_t sum = static_cast<uint32_t>(own.d[r]);
      for (int k = 0; k < 32; ++k) {
        sum += static_cast<uint32_t>(a[lane / 4 + r / 2 * 8][k] * b[lane % 4 * 2 + r % 2][k]);
      }
      own.d[r] = static_cast<int32_t>(sum);
    }
  });
}
#endif

// d += a b for int8 tiles of 16 x 32 (row-major) and 32 x 8 (column-major), by a whole warp. Needs compute capability 8.0:
// below it traps, and the launcher has another kernel.
__device__ __forceinline__ void mma_m16n8k32(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(SILVERLODE_EMULATION)
  MmaFragments fragments{d, a, b};
  emulation::warp_rendezvous(run_mma_m16n8k32, 0xffffffffu, &fragments,
                             {"mma_m16n8k32", emulation::Location::current()});
#elif __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
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
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
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
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(value.x), "=r"(value.y) : "l"(from));
  return value;
#endif
}

}  // namespace silverlode::cuda
