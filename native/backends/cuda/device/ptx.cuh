// The only inline PTX. Each wrapper has a body for the emulation with the same meaning, lane by lane.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

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

// Copies of 16 bytes from global to shared memory that run beside the thread (before sm_80 they do not). `commit` closes a group of
// them; `wait<n>` returns when all but the thread's n newest groups have landed, then a barrier shows them to the block. Under
// the emulation a copy happens at the wait, so that a missing one is seen.
class AsyncCopies {
 public:
  __device__ __forceinline__ void copy16(void* to, const void* from) {
#ifdef SILVERLODE_EMULATION
    copies_[count_ % kMost] = {to, from, group_};
    ++count_;
#elif __CUDA_ARCH__ < 800
    *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
                 "l"(from)
                 : "memory");
#endif
  }

  __device__ __forceinline__ void commit() {
#ifdef SILVERLODE_EMULATION
    ++group_;
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  }

  template <int kPending>
  __device__ __forceinline__ void wait() {
#ifdef SILVERLODE_EMULATION
    for (; done_ < count_ && copies_[done_ % kMost].group < group_ - kPending; ++done_) {
      *static_cast<uint4*>(copies_[done_ % kMost].to) = *static_cast<const uint4*>(copies_[done_ % kMost].from);
    }
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
  }

#ifdef SILVERLODE_EMULATION
 private:
  struct Copy {
    void* to;
    const void* from;
    int group;
  };
  static constexpr int kMost = 64;  // in flight
  Copy copies_[kMost];
  int count_ = 0, done_ = 0, group_ = 0;
#endif
};

// Four 8x8 matrices of 16-bit elements: lane l gives the address (16-byte aligned, shared memory) of row l % 8 of matrix
// l / 8; in matrix q it gets elements 2 (l % 4) and the next one of row l / 4, in registers[q].
__device__ __forceinline__ void load_matrices(uint32_t (&registers)[4], const void* row) {
#ifdef SILVERLODE_EMULATION
  const unsigned lane = threadIdx.x % 32;
  for (unsigned q = 0; q < 4; ++q) {
    const auto address = __shfl_sync(0xffffffffu, reinterpret_cast<unsigned long long>(row), q * 8 + lane / 4);
    registers[q] = reinterpret_cast<const uint32_t*>(address)[lane % 4];
  }
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(address)
               : "memory");
#endif
}

// sums (16x8 float32) += a (16x16) b (16x8) for float16 or bfloat16, over a whole warp; fragments as PTX defines them. sm_80
// and later.
template <bool kBFloat>
__device__ __forceinline__ void multiply_16x8x16(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#ifdef SILVERLODE_EMULATION
  const auto element = [](uint32_t pair, int i) {
    const uint16_t bits = static_cast<uint16_t>(pair >> (16 * i));
    return kBFloat ? bf16_to_float(bits) : f16_to_float(bits);
  };
  const int lane = threadIdx.x % 32;
  float rows[2][16], columns[2][16];  // rows lane / 4 and 8 more; columns 2 (lane % 4) and the next
  for (int t = 0; t < 4; ++t) {
    for (int r = 0; r < 4; ++r) {
      const uint32_t pair = __shfl_sync(0xffffffffu, a[r], lane / 4 * 4 + t);
      for (int i = 0; i < 2; ++i) rows[r % 2][2 * t + 8 * (r / 2) + i] = element(pair, i);
    }
    for (int c = 0; c < 2; ++c) {
      const uint32_t low = __shfl_sync(0xffffffffu, b0, (2 * (lane % 4) + c) * 4 + t);
      const uint32_t high = __shfl_sync(0xffffffffu, b1, (2 * (lane % 4) + c) * 4 + t);
      for (int i = 0; i < 2; ++i) {
        columns[c][2 * t + i] = element(low, i);
        columns[c][2 * t + 8 + i] = element(high, i);
      }
    }
  }
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 16; ++k) sums[i] = fmaf(rows[i / 2][k], columns[i % 2][k], sums[i]);
  }
#elif __CUDA_ARCH__ < 800
  __trap();  // launched on later devices only
#else
  if constexpr (kBFloat) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
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
