// Element-wise kernels on a vector type. Tails go through a padded buffer, so every element sees the same operations.
#pragma once

#include <cstring>

#include "backends/cpu/simd/float_kernels.h"
#include "backends/cpu/simd/math.h"

namespace silverlode::cpu {

template <class V>
V load_part(const float* from, int64_t n) {
  float whole[V::kLanes] = {};
  std::memcpy(whole, from, static_cast<size_t>(n) * sizeof(float));
  return V::load(whole);
}
template <class V>
void store_part(V value, float* to, int64_t n) {
  float whole[V::kLanes];
  value.store(whole);
  std::memcpy(to, whole, static_cast<size_t>(n) * sizeof(float));
}

// y[i] = f(inputs[i]...)
template <class V, class F, class... Inputs>
void map(F f, float* y, int64_t n, const Inputs*... inputs) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) f(V::load(inputs + i)...).store(y + i);
  if constexpr (V::kLanes > 1) {
    if (i < n) store_part(f(load_part<V>(inputs + i, n - i)...), y + i, n - i);
  }
}

// y[i] = f(load(x + i)) for inputs of another type.
template <class V, class T, class Load>
void convert(Load load, const T* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) load(x + i).store(y + i);
  if constexpr (V::kLanes > 1) {
    if (i == n) return;
    T whole[V::kLanes] = {};
    std::memcpy(whole, x + i, static_cast<size_t>(n - i) * sizeof(T));
    store_part(load(static_cast<const T*>(whole)), y + i, n - i);
  }
}

template <class V>
void activate(const float* x, float* y, int64_t n, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      if (x != y) std::memmove(y, x, static_cast<size_t>(n) * sizeof(float));
      return;
    case Activation::kRelu: return map<V>([](V a) { return max(V(0.0f), a); }, y, n, x);
    case Activation::kGelu: return map<V>([](V a) { return math::gelu(a); }, y, n, x);
    case Activation::kSilu: return map<V>([](V a) { return math::silu(a); }, y, n, x);
    case Activation::kSigmoid: return map<V>([](V a) { return math::sigmoid(a); }, y, n, x);
    case Activation::kTanh: return map<V>([](V a) { return math::tanh(a); }, y, n, x);
  }
}

template <class V>
auto is_true(V a) {
  return (a < V(0.0f)) | (V(0.0f) < a);
}
template <class V, class Mask>
V truth(Mask mask) {
  return select(mask, V(1.0f), V(0.0f));
}
// NaN when either side is; of equal sides, such as zeros of different sign, the second.
template <class V>
V minimum(V a, V b) {
  return select(a == a, min(a, b), a);
}
template <class V>
V maximum(V a, V b) {
  return select(a == a, max(a, b), a);
}

template <class V>
void unary(ValueOp op, const float* a, float* y, int64_t n) {
  switch (op) {
    case ValueOp::kNegate: return map<V>([](V v) { return math::negate(v); }, y, n, a);
    case ValueOp::kNot: return map<V>([](V v) { return truth<V>(!is_true(v)); }, y, n, a);
    case ValueOp::kAbs: return map<V>([](V v) { return math::abs(v); }, y, n, a);
    case ValueOp::kExp: return map<V>([](V v) { return math::exp(v); }, y, n, a);
    case ValueOp::kLog: return map<V>([](V v) { return math::log(v); }, y, n, a);
    case ValueOp::kLog1p: return map<V>([](V v) { return math::log1p(v); }, y, n, a);
    case ValueOp::kSqrt: return map<V>([](V v) { return sqrt(v); }, y, n, a);
    case ValueOp::kSigmoid: return map<V>([](V v) { return math::sigmoid(v); }, y, n, a);
    default: return;
  }
}

template <class V>
void binary(ValueOp op, const float* a, const float* b, float* y, int64_t n) {
  switch (op) {
    case ValueOp::kAdd: return map<V>([](V l, V r) { return l + r; }, y, n, a, b);
    case ValueOp::kSubtract: return map<V>([](V l, V r) { return l - r; }, y, n, a, b);
    case ValueOp::kMultiply: return map<V>([](V l, V r) { return l * r; }, y, n, a, b);
    case ValueOp::kDivide: return map<V>([](V l, V r) { return l / r; }, y, n, a, b);
    case ValueOp::kPow: return map<V>([](V l, V r) { return math::pow(l, r); }, y, n, a, b);
    case ValueOp::kMin: return map<V>([](V l, V r) { return minimum(l, r); }, y, n, a, b);
    case ValueOp::kMax: return map<V>([](V l, V r) { return maximum(l, r); }, y, n, a, b);
    case ValueOp::kLess: return map<V>([](V l, V r) { return truth<V>(l < r); }, y, n, a, b);
    case ValueOp::kLessEqual: return map<V>([](V l, V r) { return truth<V>(l <= r); }, y, n, a, b);
    case ValueOp::kGreater: return map<V>([](V l, V r) { return truth<V>(r < l); }, y, n, a, b);
    case ValueOp::kGreaterEqual: return map<V>([](V l, V r) { return truth<V>(r <= l); }, y, n, a, b);
    case ValueOp::kEqual: return map<V>([](V l, V r) { return truth<V>(l == r); }, y, n, a, b);
    case ValueOp::kNotEqual: return map<V>([](V l, V r) { return truth<V>(!(l == r)); }, y, n, a, b);
    case ValueOp::kAnd: return map<V>([](V l, V r) { return truth<V>(is_true(l) & is_true(r)); }, y, n, a, b);
    case ValueOp::kOr: return map<V>([](V l, V r) { return truth<V>(is_true(l) | is_true(r)); }, y, n, a, b);
    default: return;
  }
}

template <class V>
void ternary(ValueOp op, const float* a, const float* b, const float* c, float* y, int64_t n) {
  if (op == ValueOp::kIf) {
    map<V>([](V condition, V yes, V no) { return select(is_true(condition), yes, no); }, y, n, a, b, c);
  } else if (op == ValueOp::kClamp) {
    map<V>([](V x, V low, V high) { return minimum(maximum(x, low), high); }, y, n, a, b, c);
  }
}

}  // namespace silverlode::cpu
