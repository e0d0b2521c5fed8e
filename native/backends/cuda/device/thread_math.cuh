// One float of one thread as the vector type that the CPU's functions (backends/math/math.h) are written on: the same
// IEEE operations in the same order, so exp, log, erf, ... give the CPU's bits (NaN payloads aside).
#pragma once

#include <cuda_runtime.h>

#include <cmath>

#include "backends/math/value_functions.h"
#include "core/half.h"

namespace silverlode::cuda {

struct ThreadFloat {
  struct Int {
    uint32_t v;
    __host__ __device__ constexpr Int(int32_t value) : v(static_cast<uint32_t>(value)) {}
    friend __host__ __device__ constexpr Int operator+(Int a, Int b) { return Int(static_cast<int32_t>(a.v + b.v)); }
    friend __host__ __device__ constexpr Int operator-(Int a, Int b) { return Int(static_cast<int32_t>(a.v - b.v)); }
    friend __host__ __device__ constexpr Int operator&(Int a, Int b) { return Int(static_cast<int32_t>(a.v & b.v)); }
    friend __host__ __device__ constexpr Int operator|(Int a, Int b) { return Int(static_cast<int32_t>(a.v | b.v)); }
  };
  struct Mask {
    bool v;
    friend __host__ __device__ constexpr Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
    friend __host__ __device__ constexpr Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
    friend __host__ __device__ constexpr Mask operator!(Mask a) { return {!a.v}; }
  };

  float v;
  __host__ __device__ constexpr ThreadFloat(float value) : v(value) {}

  friend __host__ __device__ constexpr ThreadFloat operator+(ThreadFloat a, ThreadFloat b) { return a.v + b.v; }
  friend __host__ __device__ constexpr ThreadFloat operator-(ThreadFloat a, ThreadFloat b) { return a.v - b.v; }
  friend __host__ __device__ constexpr ThreadFloat operator*(ThreadFloat a, ThreadFloat b) { return a.v * b.v; }
  friend __host__ __device__ constexpr ThreadFloat operator/(ThreadFloat a, ThreadFloat b) { return a.v / b.v; }
  friend __host__ __device__ ThreadFloat fma(ThreadFloat a, ThreadFloat b, ThreadFloat c) {
    return fmaf(a.v, b.v, c.v);
  }
  friend __host__ __device__ ThreadFloat sqrt(ThreadFloat a) { return sqrtf(a.v); }
  friend __host__ __device__ constexpr ThreadFloat min(ThreadFloat a, ThreadFloat b) { return a.v < b.v ? a : b; }
  friend __host__ __device__ constexpr ThreadFloat max(ThreadFloat a, ThreadFloat b) { return a.v > b.v ? a : b; }
  friend __host__ __device__ constexpr Mask operator<(ThreadFloat a, ThreadFloat b) { return {a.v < b.v}; }
  friend __host__ __device__ constexpr Mask operator<=(ThreadFloat a, ThreadFloat b) { return {a.v <= b.v}; }
  friend __host__ __device__ constexpr Mask operator==(ThreadFloat a, ThreadFloat b) { return {a.v == b.v}; }
  friend __host__ __device__ constexpr ThreadFloat select(Mask mask, ThreadFloat yes, ThreadFloat no) {
    return mask.v ? yes : no;
  }

  friend __host__ __device__ constexpr Int bits(ThreadFloat a) { return Int(static_cast<int32_t>(float_bits(a.v))); }
  static __host__ __device__ constexpr ThreadFloat from_bits(Int a) { return bits_float(a.v); }
  friend __host__ __device__ constexpr ThreadFloat to_float(Int a) {
    return static_cast<float>(static_cast<int32_t>(a.v));
  }
  template <int kBy>
  static __host__ __device__ constexpr Int shift_left(Int a) {
    return Int(static_cast<int32_t>(a.v << kBy));
  }
  template <int kBy>
  static __host__ __device__ constexpr Int shift_right(Int a) {  // arithmetic
    return Int(static_cast<int32_t>(a.v) >> kBy);
  }
};

// activation(x) for one value; the kind is uniform over the grid.
__device__ inline float activate(float x, Activation activation) {
  float y = x;
  activation_function<ThreadFloat>(activation, [&](auto f) { y = f(ThreadFloat(x)).v; });
  return y;
}

}  // namespace silverlode::cuda
