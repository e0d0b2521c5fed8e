// value_model: one formula over task logits, the retrieval score, request weights and item columns (contracts 4).
//
//   0 logits     float32 [batch, m, T]  optional
//   1 scores     float32 [batch, m]     retrieval scores
//   2 ordinals   int32   [batch, m]     -1 for a missing candidate
//   3 columns    float32 [items, F]     optional; row = ordinal
//   4 weights    float32 [batch, NW]    optional
//   5 steps      int32   [n, 2]         (opcode, argument) in postfix order, opcodes below
//   6 constants  float32 [c]            may be empty
//   -> values    float32 [batch, m]     -Infinity for a missing candidate
//
// Every step is one float32 operation, rounded once; comparisons give 1 or 0, a value is true when it is neither 0 nor NaN;
// division by zero and log of 0 follow IEEE. min and max are NaN when either side is and give the second of equal ones;
// clamp(x, low, high) is min(max(x, low), high). exp, log, log1p, sigmoid and pow are our own, equal on every SIMD level. Bad
// steps, or an ordinal without a row of `columns` where a column is used: INVALID_ARGUMENT when the op runs.
#pragma once

#include "ops/op.h"

namespace silverlode {

enum class ValueOp : int32_t {
  kConst = 0,
  kTask = 1,
  kScore = 2,
  kWeight = 3,
  kColumn = 4,
  kNegate = 10,
  kNot = 11,
  kAbs = 12,
  kExp = 13,
  kLog = 14,
  kLog1p = 15,
  kSqrt = 16,
  kSigmoid = 17,
  kAdd = 20,
  kSubtract = 21,
  kMultiply = 22,
  kDivide = 23,
  kPow = 24,
  kMin = 25,
  kMax = 26,
  kLess = 30,
  kLessEqual = 31,
  kGreater = 32,
  kGreaterEqual = 33,
  kEqual = 34,
  kNotEqual = 35,
  kAnd = 36,
  kOr = 37,
  kIf = 40,     // condition, then, else
  kClamp = 41,  // x, low, high
};

constexpr int32_t kMaxValueStack = 64;

struct ValueModel {
  static constexpr const char* kName = "value_model";

  struct Params {};
  struct Args {
    const float* logits;  // may be null
    const float* scores;
    const int32_t* ordinals;
    const float* columns;  // may be null
    const float* weights;  // may be null
    const int32_t* steps;  // [n_steps, 2]
    const float* constants;
    float* values;
    int64_t batch, candidates, tasks, n_columns, items, n_weights, n_steps, n_constants;
  };

  static Status parse(const Attributes& attributes, Params& params);
  static Status infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs);
  static void bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args);
};

// Operands that a step takes from the stack; -1 for an unknown opcode. These two are constexpr, so that CUDA kernels may call
// them too.
constexpr int32_t operand_count(int32_t opcode) {
  const auto within = [opcode](ValueOp first, ValueOp last) {
    return opcode >= static_cast<int32_t>(first) && opcode <= static_cast<int32_t>(last);
  };
  if (within(ValueOp::kConst, ValueOp::kColumn)) return 0;
  if (within(ValueOp::kNegate, ValueOp::kSigmoid)) return 1;
  if (within(ValueOp::kAdd, ValueOp::kMax) || within(ValueOp::kLess, ValueOp::kOr)) return 2;
  if (within(ValueOp::kIf, ValueOp::kClamp)) return 3;
  return -1;
}

// How many different arguments a step that pushes a value may have.
constexpr int64_t argument_count(const ValueModel::Args& args, ValueOp op) {
  switch (op) {
    case ValueOp::kConst: return args.n_constants;
    case ValueOp::kTask: return args.tasks;
    case ValueOp::kWeight: return args.n_weights;
    case ValueOp::kColumn: return args.n_columns;
    default: return INT64_MAX;
  }
}

}  // namespace silverlode
