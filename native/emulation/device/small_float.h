// What binary16 and bfloat16 have in common: 16 bits, arithmetic in a wider type, rounded once.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace silverlode::emulation {

// Rounds a finite or infinite double to nearest even with `mantissa` explicit bits and the exponent range of `exponent` bits.
template <int exponent, int mantissa>
inline unsigned short encode_small(double value) {
  constexpr int kBias = (1 << (exponent - 1)) - 1;
  constexpr unsigned short kInfinity = ((1 << exponent) - 1) << mantissa;
  const unsigned short sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return 0x7fff;  // what a GPU's conversion gives
  if (std::isinf(value)) return sign | kInfinity;
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  const int power = std::max(std::ilogb(magnitude), 1 - kBias);
  const double scaled = std::nearbyint(std::ldexp(magnitude, mantissa - power));  // in units of the last place
  const auto units = static_cast<unsigned>(scaled);
  // A carry out of the mantissa runs into the exponent, which is what it should do.
  const unsigned bits = units + (static_cast<unsigned>(power + kBias - 1) << mantissa);
  return sign | static_cast<unsigned short>(bits < kInfinity ? bits : kInfinity);
}

template <int exponent, int mantissa>
inline float decode_small(unsigned short bits) {
  constexpr int kBias = (1 << (exponent - 1)) - 1;
  constexpr int kTop = (1 << exponent) - 1;
  const int power = bits >> mantissa & kTop;
  const int fraction = bits & ((1 << mantissa) - 1);
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (power == kTop) return fraction != 0 ? std::nanf("") : sign * INFINITY;
  if (power == 0) return sign * std::ldexp(static_cast<float>(fraction), 1 - kBias - mantissa);
  return sign * std::ldexp(static_cast<float>(fraction | 1 << mantissa), power - kBias - mantissa);
}

// a + b, where an inexact sum gets an odd last bit: rounding it again to fewer bits then gives what one rounding would.
inline double sum_to_odd(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  const double error = (a - (sum - b_part)) + (b - b_part);
  if (error == 0 || !std::isfinite(sum) || (std::bit_cast<uint64_t>(sum) & 1) != 0) return sum;
  return std::nextafter(sum, error > 0 ? INFINITY : -INFINITY);
}

// The storage and the operators of both types, by the number of bits of the exponent and of the stored mantissa.
template <int exponent, int mantissa>
struct SmallFloat {
  unsigned short bits;

  SmallFloat() = default;
  SmallFloat(float value) : bits(encode_small<exponent, mantissa>(value)) {}
  SmallFloat(double value) : bits(encode_small<exponent, mantissa>(value)) {}
  SmallFloat(int value) : SmallFloat(static_cast<double>(value)) {}
  operator float() const { return decode_small<exponent, mantissa>(bits); }

  SmallFloat operator-() const { return from_bits(bits ^ 0x8000); }
  SmallFloat& operator+=(SmallFloat b) { return *this = *this + b; }
  SmallFloat& operator-=(SmallFloat b) { return *this = *this - b; }
  SmallFloat& operator*=(SmallFloat b) { return *this = *this * b; }
  SmallFloat& operator/=(SmallFloat b) { return *this = *this / b; }

  static SmallFloat from_bits(unsigned short bits) {
    SmallFloat value;
    value.bits = bits;
    return value;
  }

  // Sums and products of two 16-bit floats are exact in double, so they round once.
  friend SmallFloat operator+(SmallFloat a, SmallFloat b) { return SmallFloat(a.wide() + b.wide()); }
  friend SmallFloat operator-(SmallFloat a, SmallFloat b) { return SmallFloat(a.wide() - b.wide()); }
  friend SmallFloat operator*(SmallFloat a, SmallFloat b) { return SmallFloat(a.wide() * b.wide()); }
  friend SmallFloat operator/(SmallFloat a, SmallFloat b) { return SmallFloat(a.wide() / b.wide()); }
  friend bool operator==(SmallFloat a, SmallFloat b) { return a.wide() == b.wide(); }
  friend bool operator<(SmallFloat a, SmallFloat b) { return a.wide() < b.wide(); }
  friend bool operator>(SmallFloat a, SmallFloat b) { return a.wide() > b.wide(); }
  friend bool operator<=(SmallFloat a, SmallFloat b) { return a.wide() <= b.wide(); }
  friend bool operator>=(SmallFloat a, SmallFloat b) { return a.wide() >= b.wide(); }

  double wide() const { return static_cast<float>(*this); }
};

}  // namespace silverlode::emulation
