#include "ops/value_model.h"

#include "tests/cuda/dense_cuda_harness.h"
#include "tests/value_model_fixture.h"

namespace silverlode::cuda {
namespace {

using tests::Data;
using tests::Formula;

Code check(const Data& data, const Formula& formula) {
  return expect_equal_values<ValueModel>(entry<ValueModel>(), cpu::entry<ValueModel>(), {}, data.inputs(formula))
      .status.code;
}

// Steps of every kind; about `length` of them, and as many as it takes to leave one value.
Formula random_formula(std::mt19937& random, int length) {
  constexpr uint32_t kUnary = 8, kBinary = 7, kArguments[] = {4, 3, 1, 2, 4};
  Formula formula;
  int depth = 0;
  for (int step = 0; step < length || depth > 1; ++step) {
    const uint32_t kind = step < length ? random() % 5 : 2 + random() % 2;
    if (depth >= 3 && kind == 3) {
      formula.push(random() % 2 == 0 ? ValueOp::kIf : ValueOp::kClamp), depth -= 2;
    } else if (depth >= 2 && kind >= 2) {
      const uint32_t op = random() % 2 == 0 ? 20 + random() % kBinary : 30 + random() % 8;
      formula.push(static_cast<ValueOp>(op)), depth -= 1;
    } else if (depth >= 1 && kind == 1) {
      formula.push(static_cast<ValueOp>(10 + random() % kUnary));
    } else if (depth < kMaxValueStack) {
      const uint32_t op = random() % 5;
      formula.push(static_cast<ValueOp>(op), static_cast<int32_t>(random() % kArguments[op])), ++depth;
    }
  }
  return formula;
}

TEST(CudaValueModel, RandomFormulasHaveTheBitsOfTheCpu) {
  const uint32_t seed = 99;
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", formula " + std::to_string(round));
    const Data data(1 + round % 3, 1 + random() % 400, static_cast<uint32_t>(round));
    EXPECT_EQ(check(data, random_formula(random, 1 + round % 40)), Code::kOk);
  }
}

TEST(CudaValueModel, SizesAroundTheBlocksAndNoCandidates) {
  Formula formula;
  formula.push(ValueOp::kScore).push(ValueOp::kTask, 1).push(ValueOp::kPow);
  for (int64_t candidates : {0, 1, 63, 64, 65, 255, 256, 257, 1025}) {
    EXPECT_EQ(check(Data(2, candidates, 4), formula), Code::kOk);
  }
  EXPECT_EQ(check(Data(0, 3, 4), formula), Code::kOk);
}

TEST(CudaValueModel, DeepestStack) {
  Formula formula;
  for (int i = 0; i < kMaxValueStack; ++i) formula.push(ValueOp::kScore);
  for (int i = 1; i < kMaxValueStack; ++i) formula.push(ValueOp::kAdd);
  EXPECT_EQ(check(Data(1, 40, 3), formula), Code::kOk);
  formula.steps.insert(formula.steps.begin(), {2, 0});
  formula.push(ValueOp::kAdd);
  EXPECT_EQ(check(Data(1, 40, 3), formula), Code::kInvalidArgument);
}

TEST(CudaValueModel, RefusesBadStepsAsTheCpuDoes) {
  const Data data(1, 3, 1);
  const std::vector<std::vector<int32_t>> bad = {{},
                                                 {2, 0, 2, 0},
                                                 {20, 0},
                                                 {2, 0, 2, 0, 40, 0},
                                                 {1, 3},
                                                 {1, -1},
                                                 {0, 4},
                                                 {3, 2},
                                                 {4, 4},
                                                 {2, 0, -1, 0},
                                                 {2, 0, 5, 0},
                                                 {2, 0, 9, 0},
                                                 {2, 0, 18, 0},
                                                 {2, 0, 27, 0},
                                                 {2, 0, 38, 0},
                                                 {2, 0, 42, 0},
                                                 {2, 0, 1000, 0}};
  for (const std::vector<int32_t>& steps : bad) {
    Formula formula;
    formula.steps = steps;
    EXPECT_EQ(check(data, formula), Code::kInvalidArgument);
  }
}

TEST(CudaValueModel, RefusesOrdinalsOutOfRangeOnlyWhereColumnsAreRead) {
  Data data(1, 3, 1);
  data.ordinals[1] = 50;
  Formula formula;
  formula.push(ValueOp::kColumn, 0);
  EXPECT_EQ(check(data, formula), Code::kInvalidArgument);
  formula.steps = {2, 0};
  EXPECT_EQ(check(data, formula), Code::kOk);
}

TEST(CudaValueModel, Repeats) {
  std::mt19937 random(5);
  const Data data(2, 150, 6);
  expect_repeats<ValueModel>(entry<ValueModel>(), {}, data.inputs(random_formula(random, 20)));
}

}  // namespace
}  // namespace silverlode::cuda
