// One lane: the reference for the vector types of the other levels. A vector type V holds float32 lanes and offers
//   V(value) broadcast, load, store, load_int8/f16/bf16   + - * /, fma, sqrt, min, max, comparisons, select
//   V::Int lanes of 32-bit integers for exponents and masks, reached by bits() and from_bits()
// Every operation is one IEEE operation, so code written on V gives the same bits at every level (NaN payloads aside).
// min(a, b) is a < b ? a : b and max(a, b) is a > b ? a : b: with a NaN on either side the result is b.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/half.h"

namespace silverlode::cpu {

struct VecSerial {
  static constexpr int64_t kLanes = 1;
  // Register tile of the matrix product: rows x vectors of outputs, and the same for a single row.
  static constexpr int kTileRows = 2;
  static constexpr int kTileWide = 4;
  static constexpr int kSingleWide = 32;

  struct Int {
    uint32_t v;
    Int() = default;
    Int(int32_t value) : v(static_cast<uint32_t>(value)) {}
    friend Int operator+(Int a, Int b) { return Int(static_cast<int32_t>(a.v + b.v)); }
    friend Int operator-(Int a, Int b) { return Int(static_cast<int32_t>(a.v - b.v)); }
    friend Int operator&(Int a, Int b) { return Int(static_cast<int32_t>(a.v & b.v)); }
    friend Int operator|(Int a, Int b) { return Int(static_cast<int32_t>(a.v | b.v)); }
  };
  struct Mask {
    bool v;
    friend Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
    friend Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
    friend Mask operator!(Mask a) { return {!a.v}; }
  };

  float v;
  VecSerial() = default;
  VecSerial(float value) : v(value) {}

  static VecSerial load(const float* from) { return *from; }
  static VecSerial load_int8(const int8_t* from) { return static_cast<float>(*from); }
  static VecSerial load_f16(const uint16_t* from) { return f16_to_float(*from); }
  static VecSerial load_bf16(const uint16_t* from) { return bf16_to_float(*from); }
  void store(float* to) const { *to = v; }

  friend VecSerial operator+(VecSerial a, VecSerial b) { return a.v + b.v; }
  friend VecSerial operator-(VecSerial a, VecSerial b) { return a.v - b.v; }
  friend VecSerial operator*(VecSerial a, VecSerial b) { return a.v * b.v; }
  friend VecSerial operator/(VecSerial a, VecSerial b) { return a.v / b.v; }
  friend VecSerial fma(VecSerial a, VecSerial b, VecSerial c) { return std::fma(a.v, b.v, c.v); }
  friend VecSerial sqrt(VecSerial a) { return std::sqrt(a.v); }
  friend VecSerial min(VecSerial a, VecSerial b) { return a.v < b.v ? a : b; }
  friend VecSerial max(VecSerial a, VecSerial b) { return a.v > b.v ? a : b; }
  friend Mask operator<(VecSerial a, VecSerial b) { return {a.v < b.v}; }
  friend Mask operator<=(VecSerial a, VecSerial b) { return {a.v <= b.v}; }
  friend Mask operator==(VecSerial a, VecSerial b) { return {a.v == b.v}; }
  friend VecSerial select(Mask mask, VecSerial yes, VecSerial no) { return mask.v ? yes : no; }

  friend Int bits(VecSerial a) { return Int(static_cast<int32_t>(float_bits(a.v))); }
  static VecSerial from_bits(Int a) { return bits_float(a.v); }
  friend VecSerial to_float(Int a) { return static_cast<float>(static_cast<int32_t>(a.v)); }
  template <int kBy>
  static Int shift_left(Int a) {
    return Int(static_cast<int32_t>(a.v << kBy));
  }
  template <int kBy>
  static Int shift_right(Int a) {  // arithmetic
    return Int(static_cast<int32_t>(a.v) >> kBy);
  }
};

}  // namespace silverlode::cpu
