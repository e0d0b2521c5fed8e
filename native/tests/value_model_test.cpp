// Formulas against a scalar interpreter that follows value_model.h with the same elementary functions.
#include "ops/value_model.h"

#include <limits>

#include "tests/value_model_fixture.h"

namespace silverlode::tests {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

float evaluate(const Data& data, const Formula& formula, int64_t i) {
  const cpu::FloatKernels& kernels = cpu::float_kernels_serial();
  std::vector<float> stack;
  const auto pop = [&] {
    const float top = stack.back();
    stack.pop_back();
    return top;
  };
  const int32_t row = data.ordinals[static_cast<size_t>(i)];
  if (row < 0) return -kInf;
  for (size_t step = 0; step < formula.steps.size(); step += 2) {
    const int32_t op = formula.steps[step], argument = formula.steps[step + 1];
    float y = 0;
    if (op == 0) y = formula.constants[static_cast<size_t>(argument)];
    if (op == 1) y = data.logits[static_cast<size_t>(i * 3 + argument)];
    if (op == 2) y = data.scores[static_cast<size_t>(i)];
    if (op == 3) y = data.weights[static_cast<size_t>(i / data.candidates * 2 + argument)];
    if (op == 4) y = data.columns[static_cast<size_t>(row * 4 + argument)];
    if (op >= 10 && op < 20) {
      const float a = pop();
      kernels.unary(static_cast<ValueOp>(op), &a, &y, 1);
    } else if (op >= 20 && op < 40) {
      const float b = pop(), a = pop();
      kernels.binary(static_cast<ValueOp>(op), &a, &b, &y, 1);
    } else if (op >= 40) {
      const float c = pop(), b = pop(), a = pop();
      kernels.ternary(static_cast<ValueOp>(op), &a, &b, &c, &y, 1);
    }
    stack.push_back(y);
  }
  return stack.back();
}

bool same(float a, float b) { return (a != a && b != b) || float_bits(a) == float_bits(b); }

void check_formula(const Data& data, const Formula& formula) {
  for (const cpu::SimdTable* table : supported_levels()) {
    for (int32_t threads : {1, 2, 3, 8}) {
      const Result result = run_op<ValueModel>(cpu::entry<ValueModel>(), {}, data.inputs(formula),
                                               {.threads = threads, .level = table->level});
      ASSERT_TRUE(result.status.ok()) << result.status.text;
      const std::vector<float> values = result.as<float>(0);
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_TRUE(same(values[i], evaluate(data, formula, static_cast<int64_t>(i))))
            << table->name << " candidate " << i << ": " << values[i];
      }
    }
  }
}

TEST(ValueModel, TheFormulaOfTheGuide) {
  // 2*sigmoid(t0) + 0.1*log1p(exp(t1)) - weight0*sigmoid(t2) + if(column3 < 24, 0.1, 1)
  Formula f;
  f.push(ValueOp::kConst, 3).push(ValueOp::kNegate).push(ValueOp::kTask, 0).push(ValueOp::kSigmoid);
  f.push(ValueOp::kMultiply).push(ValueOp::kConst, 1).push(ValueOp::kTask, 1).push(ValueOp::kExp);
  f.push(ValueOp::kLog1p).push(ValueOp::kMultiply).push(ValueOp::kAdd).push(ValueOp::kWeight, 0);
  f.push(ValueOp::kTask, 2).push(ValueOp::kSigmoid).push(ValueOp::kMultiply).push(ValueOp::kSubtract);
  f.push(ValueOp::kColumn, 3).push(ValueOp::kConst, 2).push(ValueOp::kLess).push(ValueOp::kConst, 1);
  f.push(ValueOp::kConst, 0).push(ValueOp::kIf).push(ValueOp::kAdd);
  for (int64_t candidates : {1, 17, 511, 512, 1300}) check_formula(Data(3, candidates, 1), f);
}

TEST(ValueModel, RandomFormulas) {
  const uint32_t seed = 99;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const int32_t unary[] = {10, 11, 12, 13, 14, 15, 16, 17};
  const int32_t binary[] = {20, 21, 22, 23, 24, 25, 26, 30, 31, 32, 33, 34, 35, 36, 37};
  const Data data(2, 600, 5);
  for (int round = 0; round < 60; ++round) {
    Formula f;
    int depth = 0;
    for (int step = 0; step < 40 || depth > 1; ++step) {
      const uint32_t kind = step < 40 ? random() % 5 : 2 + random() % 2;
      if (depth >= 3 && kind == 3) {
        f.push(random() % 2 ? ValueOp::kIf : ValueOp::kClamp), depth -= 2;
      } else if (depth >= 2 && kind >= 2) {
        f.push(static_cast<ValueOp>(binary[random() % std::size(binary)])), depth -= 1;
      } else if (depth >= 1 && kind == 1) {
        f.push(static_cast<ValueOp>(unary[random() % std::size(unary)]));
      } else if (depth < kMaxValueStack) {
        static constexpr uint32_t kLimits[] = {4, 3, 1, 2, 4};
        const uint32_t op = random() % 5;
        f.push(static_cast<ValueOp>(op), static_cast<int32_t>(random() % kLimits[op])), ++depth;
      }
    }
    check_formula(data, f);
  }
}

TEST(ValueModel, DeepestStack) {
  Formula f;
  for (int i = 0; i < kMaxValueStack; ++i) f.push(ValueOp::kScore);
  for (int i = 1; i < kMaxValueStack; ++i) f.push(ValueOp::kAdd);
  check_formula(Data(1, 40, 3), f);
  f.steps.insert(f.steps.begin(), {2, 0});
  f.push(ValueOp::kAdd);
  EXPECT_EQ(run_op<ValueModel>(cpu::entry<ValueModel>(), {}, Data(1, 40, 3).inputs(f)).status.code,
            Code::kInvalidArgument);
}

TEST(ValueModel, OptionalInputsMayBeAbsent) {
  const Data data(2, 5, 1);
  Formula f;
  f.push(ValueOp::kScore);
  std::vector<TensorView> inputs = data.inputs(f);
  inputs[0] = inputs[3] = inputs[4] = {};
  f.constants.clear();
  inputs[6].shape = {0};
  const Result result = run_op<ValueModel>(cpu::entry<ValueModel>(), {}, inputs);
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  for (int32_t op : {0, 1, 3, 4}) {
    const std::vector<int32_t> steps = {op, 0};
    inputs[5] = view_of(steps, {1, 2});
    EXPECT_EQ(run_op<ValueModel>(cpu::entry<ValueModel>(), {}, inputs).status.code, Code::kInvalidArgument);
  }
}

TEST(ValueModel, RefusesBadSteps) {
  const Data data(1, 3, 1);
  const auto run = [&](const std::vector<int32_t>& steps) {
    Formula f;
    f.steps = steps;
    const Result result = run_op<ValueModel>(cpu::entry<ValueModel>(), {}, data.inputs(f));
    EXPECT_TRUE(result.status.ok() || result.outputs[0] == std::vector<uint8_t>(12, 0xa5));
    return result.status.code;
  };
  EXPECT_EQ(run({2, 0}), Code::kOk);
  EXPECT_EQ(run({}), Code::kInvalidArgument);
  EXPECT_EQ(run({2, 0, 2, 0}), Code::kInvalidArgument);
  EXPECT_EQ(run({20, 0}), Code::kInvalidArgument);
  EXPECT_EQ(run({2, 0, 2, 0, 40, 0}), Code::kInvalidArgument);
  EXPECT_EQ(run({1, 3}), Code::kInvalidArgument);
  EXPECT_EQ(run({1, -1}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, 4}), Code::kInvalidArgument);
  EXPECT_EQ(run({3, 2}), Code::kInvalidArgument);
  EXPECT_EQ(run({4, 4}), Code::kInvalidArgument);
  for (int32_t opcode : {-1, 5, 9, 18, 27, 38, 42, 1000}) EXPECT_EQ(run({2, 0, opcode, 0}), Code::kInvalidArgument);
}

TEST(ValueModel, RefusesOrdinalsOutOfRangeOnlyWhereColumnsAreRead) {
  Data data(1, 3, 1);
  data.ordinals[1] = 50;
  Formula f;
  f.push(ValueOp::kColumn, 0);
  EXPECT_EQ(run_op<ValueModel>(cpu::entry<ValueModel>(), {}, data.inputs(f)).status.code, Code::kInvalidArgument);
  f.steps = {2, 0};
  EXPECT_EQ(run_op<ValueModel>(cpu::entry<ValueModel>(), {}, data.inputs(f)).status.code, Code::kOk);
}

TEST(ValueModel, SymbolicShapesAndBadInputs) {
  Formula f;
  f.push(ValueOp::kScore);
  const Data data(1, 3, 1);
  const auto infer = [&](const std::function<void(std::vector<TensorView>&)>& change) {
    std::vector<TensorView> inputs = data.inputs(f);
    for (size_t i : {0, 1, 2, 4}) inputs[i].shape.dim(0) = -1;
    change(inputs);
    OutputSpecs outputs;
    return ValueModel::infer({}, {}, inputs, outputs).code;
  };
  EXPECT_EQ(infer([](auto&) {}), Code::kOk);
  EXPECT_EQ(infer([](auto& in) { in.pop_back(); }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& in) { in[0].shape.dim(1) = 4; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[2].shape.dim(0) = -2; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[4].shape.dim(0) = 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[5].shape.dim(1) = 3; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[6].dtype = DType::kF16; }), Code::kUnsupportedDtype);
}

}  // namespace
}  // namespace silverlode::tests
