// The only inline PTX. Each wrapper has a body for the emulation with the same meaning, lane by lane.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "backends/cuda/launch.h"
#include "core/half.h"

namespace silverlode::cuda {

// binary16 to float32, exact.
__device__ __forceinline__ float widen_f16(uint16_t bits) {
#ifdef SILVERLODE_EMULATION
  return f16_to_float(bits);
#else
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
#endif
}

// float32 to binary16, ties to even, beyond its range infinite.
__device__ __forceinline__ uint16_t narrow_f16(float value) {
#ifdef SILVERLODE_EMULATION
  return float_to_f16(value);
#else
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#endif
}

// Copies 16 bytes from global to shared memory beside the thread (before sm_80 at once). `commit_copies` closes a group of
// copies; `wait_copies<n>` returns when all but the thread's n newest groups have landed, then a barrier shows them to the
// block.
__device__ __forceinline__ void copy16(void* to, const void* from) {
#if defined(SILVERLODE_EMULATION)
  emulation::async_copy<16>(to, from);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from)
               : "memory");
#else
  *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
#endif
}

__device__ __forceinline__ void commit_copies() {
#if defined(SILVERLODE_EMULATION)
  emulation::async_commit();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int kPending>
__device__ __forceinline__ void wait_copies() {
#if defined(SILVERLODE_EMULATION)
  emulation::async_wait(kPending);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

// Four 8x8 matrices of 16-bit elements: lane l gives the address (16-byte aligned, shared memory) of row l % 8 of matrix
// l / 8; in matrix q it gets elements 2 (l % 4) and the next one of row l / 4, in words[q].
__device__ __forceinline__ void load_matrices(uint32_t (&words)[4], const void* row) {
#ifdef SILVERLODE_EMULATION
  emulation::load_matrix(words, row);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(address)
               : "memory");
#endif
}

// d += a b for float16 or bfloat16 tiles of 16 x 16 (row-major) and 16 x 8 (column-major) with float32 sums, by a whole warp.
// Needs compute capability 8.0: below it traps, and the launcher has another kernel.
template <bool kBFloat>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(SILVERLODE_EMULATION)
  if constexpr (kBFloat) {
    emulation::mma_m16n8k16<emulation::SmallFloat<8, 7>>(d, a, b);
  } else {
    emulation::mma_m16n8k16<emulation::SmallFloat<5, 10>>(d, a, b);
  }
#elif __CUDA_ARCH__ >= 800
  if constexpr (kBFloat) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#else
  (void)d, (void)a, (void)b;
  __trap();
#endif
}

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
