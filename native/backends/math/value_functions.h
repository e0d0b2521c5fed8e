// What the operators of value_model.h and the activations do, on a vector type. Each function here hands the one that was
// asked for to `use`, so the choice is made once per vector kernel or step. constexpr, so that CUDA kernels may call these too.
#pragma once

#include "backends/math/math.h"
#include "ops/activation.h"
#include "ops/value_model.h"

namespace silverlode {

template <class V, class Use>
constexpr void activation_function(Activation activation, Use use) {
  switch (activation) {
    case Activation::kNone: return use([](V a) { return a; });
    case Activation::kRelu: return use([](V a) { return max(V(0.0f), a); });
    case Activation::kGelu: return use([](V a) { return math::gelu(a); });
    case Activation::kSilu: return use([](V a) { return math::silu(a); });
    case Activation::kSigmoid: return use([](V a) { return math::sigmoid(a); });
    case Activation::kTanh: return use([](V a) { return math::tanh(a); });
  }
}

template <class V>
constexpr auto is_true(V a) {
  return (a < V(0.0f)) | (V(0.0f) < a);
}
template <class V, class Mask>
constexpr V truth(Mask mask) {
  return select(mask, V(1.0f), V(0.0f));
}
// NaN when either side is; of equal sides, such as zeros of different sign, the second.
template <class V>
constexpr V minimum(V a, V b) {
  return select(a == a, min(a, b), a);
}
template <class V>
constexpr V maximum(V a, V b) {
  return select(a == a, max(a, b), a);
}

template <class V, class Use>
constexpr void value_unary(ValueOp op, Use use) {
  switch (op) {
    case ValueOp::kNegate: return use([](V v) { return math::negate(v); });
    case ValueOp::kNot: return use([](V v) { return truth<V>(!is_true(v)); });
    case ValueOp::kAbs: return use([](V v) { return math::abs(v); });
    case ValueOp::kExp: return use([](V v) { return math::exp(v); });
    case ValueOp::kLog: return use([](V v) { return math::log(v); });
    case ValueOp::kLog1p: return use([](V v) { return math::log1p(v); });
    case ValueOp::kSqrt: return use([](V v) { return sqrt(v); });
    case ValueOp::kSigmoid: return use([](V v) { return math::sigmoid(v); });
    default: return;
  }
}

template <class V, class Use>
constexpr void value_binary(ValueOp op, Use use) {
  switch (op) {
    case ValueOp::kAdd: return use([](V l, V r) { return l + r; });
    case ValueOp::kSubtract: return use([](V l, V r) { return l - r; });
    case ValueOp::kMultiply: return use([](V l, V r) { return l * r; });
    case ValueOp::kDivide: return use([](V l, V r) { return l / r; });
    case ValueOp::kPow: return use([](V l, V r) { return math::pow(l, r); });
    case ValueOp::kMin: return use([](V l, V r) { return minimum(l, r); });
    case ValueOp::kMax: return use([](V l, V r) { return maximum(l, r); });
    case ValueOp::kLess: return use([](V l, V r) { return truth<V>(l < r); });
    case ValueOp::kLessEqual: return use([](V l, V r) { return truth<V>(l <= r); });
    case ValueOp::kGreater: return use([](V l, V r) { return truth<V>(r < l); });
    case ValueOp::kGreaterEqual: return use([](V l, V r) { return truth<V>(r <= l); });
    case ValueOp::kEqual: return use([](V l, V r) { return truth<V>(l == r); });
    case ValueOp::kNotEqual: return use([](V l, V r) { return truth<V>(!(l == r)); });
    case ValueOp::kAnd: return use([](V l, V r) { return truth<V>(is_true(l) & is_true(r)); });
    case ValueOp::kOr: return use([](V l, V r) { return truth<V>(is_true(l) | is_true(r)); });
    default: return;
  }
}

template <class V, class Use>
constexpr void value_ternary(ValueOp op, Use use) {
  if (op == ValueOp::kIf) {
    use([](V condition, V yes, V no) { return select(is_true(condition), yes, no); });
  } else if (op == ValueOp::kClamp) {
    use([](V x, V low, V high) { return minimum(maximum(x, low), high); });
  }
}

}  // namespace silverlode
