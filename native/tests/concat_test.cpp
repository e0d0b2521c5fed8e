#include "ops/concat.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

TEST(Concat, JoinsTheLastDimension) {
  const std::vector<int64_t> widths = {3, 0, 64, 1, 17, 5, 2, 100};
  std::vector<FloatTensor> parts;
  for (int64_t width : widths) parts.push_back(random_tensor({7, 300, width}, static_cast<uint32_t>(width + 1)));
  std::vector<TensorView> inputs;
  for (const FloatTensor& part : parts) inputs.push_back(part.view());
  const Result result = run_op_everywhere<Concat>(cpu::entry<Concat>(), {}, inputs);
  std::vector<float> expected;
  for (size_t row = 0; row < 2100; ++row) {
    for (const FloatTensor& part : parts) {
      const size_t width = static_cast<size_t>(part.shape.dim(-1));
      for (size_t i = 0; i < width; ++i) expected.push_back(part.values[row * width + i]);
    }
  }
  EXPECT_EQ(result.as<float>(0), expected);
}

TEST(Concat, AnyDtype) {
  const std::vector<int32_t> a = {1, 2}, b = {3, 4, 5, 6};
  const Result result = run_op<Concat>(cpu::entry<Concat>(), {}, {view_of(a, {2, 1}), view_of(b, {2, 2})});
  EXPECT_EQ(result.as<int32_t>(0), (std::vector<int32_t>{1, 3, 4, 2, 5, 6}));
}

TEST(Concat, SymbolicBatchAndBadInputs) {
  const auto infer = [](std::vector<TensorView> inputs, OutputSpecs& outputs) {
    return Concat::infer({}, {}, inputs, outputs).code;
  };
  OutputSpecs outputs;
  const TensorView x{nullptr, DType::kF32, {-1, 8}};
  EXPECT_EQ(infer({x, {nullptr, DType::kF32, {-1, 3}}}, outputs), Code::kOk);
  EXPECT_EQ(outputs.shapes[0], (Shape{-1, 11}));
  EXPECT_EQ(infer({x, {nullptr, DType::kF32, {-2, 3}}}, outputs), Code::kShapeMismatch);
  EXPECT_EQ(infer({x, {nullptr, DType::kF32, {3}}}, outputs), Code::kShapeMismatch);
  EXPECT_EQ(infer({x, {nullptr, DType::kF16, {-1, 3}}}, outputs), Code::kUnsupportedDtype);
  EXPECT_EQ(infer({x, {nullptr, DType::kF32, {-1, -1}}}, outputs), Code::kShapeMismatch);
  EXPECT_EQ(infer({}, outputs), Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode::tests
