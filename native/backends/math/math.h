// exp, log, log1p, pow, erf, tanh, sigmoid on a vector type (vec_<isa>.h): the same IEEE operations in the same order at
// every level. Errors stay within about 2 ulp (measured in tests/math_test.cpp); zeros, infinities, subnormals and NaN come
// out as in IEEE 754. Polynomials are minimax fits made for these intervals. constexpr, so that CUDA kernels may call these too.
#pragma once

#include <cstdint>

namespace silverlode::math {

constexpr float kLn2High = 0x1.62e430p-1f;
constexpr float kLn2Low = -0x1.05c610p-29f;
constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kInfinity = __builtin_inff();
constexpr float kNan = __builtin_nanf("");
constexpr int32_t kMagnitudeBits = 0x7fffffff;
constexpr int32_t kSignBit = INT32_MIN;
constexpr int32_t kMantissaBits = 0x7fffff;
constexpr int32_t kSqrtHalfBits = 0x3f3504f3;

// Horner's scheme by fma; coefficients from the constant upwards.
template <class V>
constexpr V polynomial(V, float constant) {
  return constant;
}
template <class V, class... More>
constexpr V polynomial(V x, float constant, More... more) {
  return fma(polynomial(x, more...), x, V(constant));
}

template <class V>
constexpr V abs(V x) {
  return V::from_bits(bits(x) & kMagnitudeBits);
}
template <class V>
constexpr V negate(V x) {
  return V::from_bits(bits(x) + kSignBit);
}
// The magnitude of `x` (not negative) with the sign of `sign`.
template <class V>
constexpr V with_sign(V x, V sign) {
  return V::from_bits(bits(x) | (bits(sign) & kSignBit));
}
template <class V>
constexpr auto is_nan(V x) {
  return !(x == x);
}

// e^(high + low) for |high| <= 150 and low far below an ulp of high.
template <class V>
constexpr V exp_sum(V high, V low) {
  constexpr float kRound = 0x1.8p23f;  // adding it rounds to an integer, which is then in the low bits
  const V shifted = fma(high, V(kLog2E), V(kRound));
  const V n = shifted - kRound;
  V r = fma(n, V(-kLn2High), high);  // exact
  r = fma(n, V(-kLn2Low), r) + low;
  const V q = polynomial(r, 0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a0ap-7f, 0x1.6a23f0p-10f);
  const V p = fma(r * r, q, r) + 1.0f;
  // 2^n in two exact halves, so that only the last product rounds (to a subnormal, or over to infinity).
  const auto exponent = bits(shifted) - bits(V(kRound));
  const auto half = V::template shift_right<1>(exponent);
  const V scale = V::from_bits(V::template shift_left<23>(half + 127));
  return p * scale * V::from_bits(V::template shift_left<23>(exponent - half + 127));
}

template <class V>
constexpr V exp(V x) {
  // Beyond these bounds the result is 0 or infinity anyway. NaN passes: min and max give their second argument then.
  return exp_sum(min(V(89.0f), max(V(-104.0f), x)), V(0.0f));
}

// x = 2^exponent * mantissa with the mantissa in [sqrt(1/2), sqrt(2)), for finite x > 0.
template <class V>
struct Split {
  V exponent, mantissa;
};
template <class V>
constexpr Split<V> split_exponent(V x) {
  const auto subnormal = x < V(0x1p-126f);
  const auto shifted = bits(select(subnormal, x * V(0x1p23f), x)) - kSqrtHalfBits;
  return {to_float(V::template shift_right<23>(shifted)) - select(subnormal, V(23.0f), V(0.0f)),
          V::from_bits((shifted & kMantissaBits) + kSqrtHalfBits)};
}

// exponent * ln 2 + log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1].
template <class V>
constexpr V log_parts(V exponent, V f) {
  const V p = polynomial(f, 0x1.555548p-2f, -0x1.000006p-2f, 0x1.99a4b6p-3f, -0x1.555c4ep-3f, 0x1.233760p-3f,
                         -0x1.fc21d8p-4f, 0x1.e6f0cap-4f, -0x1.de3d72p-4f, 0x1.145880p-4f);
  const V square = f * f;
  V y = fma(f * square, p, exponent * V(kLn2Low));
  y = fma(square, V(-0.5f), y) + f;
  return fma(exponent, V(kLn2High), y);
}

// The values of a logarithm where its argument `u` is not a positive finite number.
template <class V>
constexpr V log_edges(V u, V y) {
  const V outside = select(u == V(0.0f), V(-kInfinity), select(u < V(0.0f), V(kNan), u));
  return select((V(0.0f) < u) & (u < V(kInfinity)), y, outside);
}

template <class V>
constexpr V log(V x) {
  const Split<V> parts = split_exponent(x);
  return log_edges(x, log_parts(parts.exponent, parts.mantissa - V(1.0f)));
}

template <class V>
constexpr V log1p(V x) {
  const V one(1.0f);
  const V u = one + x;
  const V rest = select(one < x, one - (u - x), x - (u - one));  // 1 + x = u + rest exactly
  const Split<V> parts = split_exponent(u);
  const V scaled_rest = rest * (parts.mantissa / u);
  const V y = log_edges(u, log_parts(parts.exponent, (parts.mantissa - one) + scaled_rest));
  return select(x == V(0.0f), x, y);
}

template <class V>
constexpr V sigmoid(V x) {
  const V e = exp(V::from_bits(bits(x) | kSignBit));  // never overflows
  return select(x < V(0.0f), e, V(1.0f)) / (V(1.0f) + e);
}

template <class V>
constexpr V silu(V x) {
  return x * sigmoid(x);
}

template <class V>
constexpr V tanh(V x) {
  const V magnitude = abs(x);
  const V z = x * x;
  const V p =
      polynomial(z, -0x1.555554p-2f, 0x1.11106cp-3f, -0x1.b9ef7cp-5f, 0x1.6394dap-6f, -0x1.0c2146p-7f, 0x1.197b7ap-9f);
  const V near_zero = fma(magnitude * z, p, magnitude);
  const V far = V(1.0f) - V(2.0f) / (exp(magnitude + magnitude) + V(1.0f));
  return with_sign(select(magnitude < V(0.625f), near_zero, far), x);
}

template <class V>
constexpr V erf(V x) {
  const V magnitude = abs(x);
  const V z = x * x;
  const V p = polynomial(z, 0x1.06eba8p-3f, -0x1.812746p-2f, 0x1.ce2f08p-4f, -0x1.b829a8p-6f, 0x1.5628eep-8f,
                         -0x1.bcbe9ap-11f, 0x1.d82694p-14f, -0x1.438408p-17f);
  const V near_zero = fma(x, p, x);
  // log(1 - erf(t)) on [1, 4]; beyond it erf rounds to 1.
  const V t = min(V(4.0f), magnitude);
  const V tail = polynomial(t, 0x1.8b3e3cp-13f, -0x1.212c2cp+0f, -0x1.4434f0p-1f, -0x1.bc18cep-4f, 0x1.9d0bcep-6f,
                            -0x1.1398f0p-8f, 0x1.ceead4p-12f, -0x1.6c0670p-16f);
  const V far = V(1.0f) - exp_sum(tail, V(0.0f));
  return select(magnitude < V(1.0f), near_zero, with_sign(far, x));
}

// x/2 * (1 + erf(x / sqrt 2))
template <class V>
constexpr V gelu(V x) {
  return V(0.5f) * x * (V(1.0f) + erf(x * V(0x1.6a09e6p-1f)));
}

// A value as an unevaluated sum, low within an ulp of high.
template <class V>
struct Sum {
  V high, low;
};

// log(x) to about 40 bits, for finite x > 0: 2 atanh(s) with s = (m - 1) / (m + 1).
template <class V>
constexpr Sum<V> log_sum(V x) {
  const Split<V> parts = split_exponent(x);
  const V one(1.0f);
  const V above = parts.mantissa - one;
  const V below = parts.mantissa + one;
  const V below_rest = parts.mantissa - (below - one);
  const V s = above / below;
  const V s_rest = fma(negate(s), below_rest, fma(negate(s), below, above)) / below;
  const V z = s * s;
  const V z_rest = fma(s + s, s_rest, fma(s, s, negate(z)));
  // q = 1/3 + z/5 + z^2/7 + ..., so that atanh(s) = s + s * z * q.
  const V third(0x1.555556p-2f);
  const V tail = z * polynomial(z, 0x1.999998p-3f, 0x1.249376p-3f, 0x1.c6580ep-4f, 0x1.8eccd8p-4f);
  const V q = third + tail;
  const V q_rest = (tail - (q - third)) + V(-0x1.555556p-27f);
  const V w = z * q;
  const V w_rest = fma(z, q_rest, fma(z_rest, q, fma(z, q, negate(w))));
  const V c = s * w;
  const V c_rest = fma(s, w_rest, fma(s_rest, w, fma(s, w, negate(c))));
  const V half = s + c;
  const V half_rest = ((s - half) + c) + (s_rest + c_rest);
  // ln 2 in two parts, the first short enough that its product with an exponent is exact.
  const V base = parts.exponent * V(0x1.62e400p-1f);
  const V high = base + (half + half);
  const V low = fma(parts.exponent, V(0x1.7f7d1cp-20f), ((base - high) + (half + half)) + (half_rest + half_rest));
  const V sum = high + low;
  return {sum, (high - sum) + low};
}

template <class V>
constexpr auto is_integer(V magnitude) {
  return (V(0x1p23f) <= magnitude) | ((magnitude + V(0x1p23f)) - V(0x1p23f) == magnitude);
}

template <class V>
constexpr V pow(V x, V y) {
  const V zero(0.0f), one(1.0f), infinity(kInfinity);
  const V base = abs(x), power = abs(y);
  const Sum<V> logarithm = log_sum(base);
  const V product = y * logarithm.high;
  const V rest = fma(y, logarithm.low, fma(y, logarithm.high, negate(product)));
  // Beyond 120 the result is 0 or infinity, and the rest may be no number.
  const auto moderate = abs(product) <= V(120.0f);
  V result = exp_sum(select(moderate, product, max(V(-120.0f), min(V(120.0f), product))), select(moderate, rest, zero));
  // Bases 0 and infinity, and infinite powers: the power's sign and the base's side of 1 decide.
  const auto edge = (base == zero) | (base == infinity) | (power == infinity);
  const auto grows = ((one < base) & (zero < y)) | ((base < one) & (y < zero));
  result = select(edge, select(base == one, one, select(grows, infinity, zero)), result);
  // A negative base: odd powers keep the sign, powers between integers have no value.
  const auto integer = is_integer(power);
  const auto odd = integer & !is_integer(power * V(0.5f));
  result = select(odd, with_sign(result, x), result);
  result = select((x < zero) & (base < infinity) & !integer, V(kNan), result);
  result = select(is_nan(x) | is_nan(y), x + y, result);
  return select((x == one) | (y == zero), one, result);
}

}  // namespace silverlode::math
