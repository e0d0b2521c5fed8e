// Floating-point intrinsics. Those with a rounding mode in their name are exact; the fast approximations are the host's
// functions, so they are closer than a GPU's.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline long long __double_as_longlong(double value) { return std::bit_cast<long long>(value); }
inline double __longlong_as_double(long long bits) { return std::bit_cast<double>(bits); }
inline double __hiloint2double(int high, int low) {
  return std::bit_cast<double>(static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low));
}
inline int __double2hiint(double value) { return static_cast<int>(std::bit_cast<uint64_t>(value) >> 32); }
inline int __double2loint(double value) { return static_cast<int>(std::bit_cast<uint64_t>(value)); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __frsqrt_rn(float a) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(a))); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return std::sqrt(a); }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }

inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float a) { return std::exp(a); }
inline float __exp10f(float a) { return std::pow(10.0f, a); }
inline float __logf(float a) { return std::log(a); }
inline float __log2f(float a) { return std::log2(a); }
inline float __powf(float a, float b) { return std::pow(a, b); }
inline float __sinf(float a) { return std::sin(a); }
inline float __cosf(float a) { return std::cos(a); }
inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
inline double rsqrt(double a) { return 1.0 / std::sqrt(a); }
inline float __saturatef(float a) { return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; }

namespace silverlode::emulation {

// CUDA converts an out-of-range float to the nearest integer there is, and NaN to 0; in C++ both are undefined.
template <class Integer, class Float>
inline Integer to_integer(Float rounded) {
  using Limits = std::numeric_limits<Integer>;
  if (!(rounded == rounded)) return 0;
  if (rounded <= static_cast<Float>(Limits::min())) return Limits::min();
  if (rounded >= static_cast<Float>(Limits::max())) return Limits::max();
  return static_cast<Integer>(rounded);
}

}  // namespace silverlode::emulation

inline int __float2int_rn(float a) { return silverlode::emulation::to_integer<int>(std::nearbyint(a)); }
inline int __float2int_rz(float a) { return silverlode::emulation::to_integer<int>(std::trunc(a)); }
inline int __float2int_rd(float a) { return silverlode::emulation::to_integer<int>(std::floor(a)); }
inline int __float2int_ru(float a) { return silverlode::emulation::to_integer<int>(std::ceil(a)); }
inline unsigned __float2uint_rn(float a) { return silverlode::emulation::to_integer<unsigned>(std::nearbyint(a)); }
inline unsigned __float2uint_rz(float a) { return silverlode::emulation::to_integer<unsigned>(std::trunc(a)); }
inline unsigned __float2uint_rd(float a) { return silverlode::emulation::to_integer<unsigned>(std::floor(a)); }
inline unsigned __float2uint_ru(float a) { return silverlode::emulation::to_integer<unsigned>(std::ceil(a)); }
inline long long __float2ll_rn(float a) { return silverlode::emulation::to_integer<long long>(std::nearbyint(a)); }
inline long long __float2ll_rz(float a) { return silverlode::emulation::to_integer<long long>(std::trunc(a)); }
inline int __double2int_rn(double a) { return silverlode::emulation::to_integer<int>(std::nearbyint(a)); }
inline int __double2int_rz(double a) { return silverlode::emulation::to_integer<int>(std::trunc(a)); }
inline long long __double2ll_rn(double a) { return silverlode::emulation::to_integer<long long>(std::nearbyint(a)); }
inline long long __double2ll_rz(double a) { return silverlode::emulation::to_integer<long long>(std::trunc(a)); }
inline float __int2float_rn(int a) { return static_cast<float>(a); }
inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }
inline float __ll2float_rn(long long a) { return static_cast<float>(a); }
inline float __ull2float_rn(unsigned long long a) { return static_cast<float>(a); }
inline float __double2float_rn(double a) { return static_cast<float>(a); }
inline double __int2double_rn(int a) { return a; }
inline double __uint2double_rn(unsigned a) { return a; }
inline double __ll2double_rn(long long a) { return static_cast<double>(a); }
inline double __ull2double_rn(unsigned long long a) { return static_cast<double>(a); }
