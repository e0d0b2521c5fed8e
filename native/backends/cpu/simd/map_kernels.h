// Element-wise kernels on a vector type. Tails go through a padded buffer, so every element sees the same operations.
#pragma once

#include <cstring>

#include "backends/cpu/simd/float_kernels.h"
#include "backends/math/value_functions.h"

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
  if (activation == Activation::kNone && x == y) return;
  activation_function<V>(activation, [&](auto f) { map<V>(f, y, n, x); });
}

template <class V>
void unary(ValueOp op, const float* a, float* y, int64_t n) {
  value_unary<V>(op, [&](auto f) { map<V>(f, y, n, a); });
}

template <class V>
void binary(ValueOp op, const float* a, const float* b, float* y, int64_t n) {
  value_binary<V>(op, [&](auto f) { map<V>(f, y, n, a, b); });
}

template <class V>
void ternary(ValueOp op, const float* a, const float* b, const float* c, float* y, int64_t n) {
  value_ternary<V>(op, [&](auto f) { map<V>(f, y, n, a, b, c); });
}

}  // namespace silverlode::cpu
