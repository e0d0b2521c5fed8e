#include "ops/elementwise.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

Attributes with_function(const char* name) {
  Attributes attributes;
  attributes.values["function"] = std::string(name);
  return attributes;
}

TEST(Elementwise, BinaryOverEverySuffix) {
  const FloatTensor a = random_tensor({5, 37, 129}, 1);
  for (const Shape& shape : {Shape{5, 37, 129}, Shape{37, 129}, Shape{129}, Shape{}}) {
    const FloatTensor b = random_tensor(shape, 2);
    const int64_t period = shape.elements();
    for (bool add : {true, false}) {
      const Result result = run_op_everywhere<Elementwise>(
          cpu::entry<Elementwise>(), with_function(add ? "add" : "multiply"), {a.view(), b.view()});
      const std::vector<float> y = result.as<float>(0);
      for (size_t i = 0; i < y.size(); ++i) {
        const float other = b.values[i % static_cast<size_t>(period)];
        ASSERT_EQ(y[i], add ? a.values[i] + other : a.values[i] * other) << shape.rank << " at " << i;
      }
    }
  }
}

TEST(Elementwise, OneNumberPerRow) {
  const FloatTensor a = random_tensor({300, 2, 77}, 1), b = random_tensor({300, 2, 1}, 2);
  for (bool add : {true, false}) {
    const Result result = run_op_everywhere<Elementwise>(cpu::entry<Elementwise>(),
                                                         with_function(add ? "add" : "multiply"), {a.view(), b.view()});
    const std::vector<float> y = result.as<float>(0);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], add ? a.values[i] + b.values[i / 77] : a.values[i] * b.values[i / 77]) << i;
    }
  }
}

TEST(Elementwise, UnaryFunctions) {
  const FloatTensor a = random_tensor({3, 20001}, 1, DType::kF32, 3.0f);
  for (Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kSilu, Activation::kSigmoid, Activation::kTanh}) {
    const Result result = run_op_everywhere<Elementwise>(cpu::entry<Elementwise>(),
                                                         with_function(activation_name(activation)), {a.view()});
    std::vector<double> expected;
    for (float value : a.values) expected.push_back(activate_exactly(value, activation));
    expect_close(result.as<float>(0), expected, 1e-6);
  }
}

TEST(Elementwise, RefusesBadInputs) {
  const auto infer = [](Elementwise::Function function, std::vector<TensorView> inputs) {
    OutputSpecs outputs;
    return Elementwise::infer({function}, {}, inputs, outputs).code;
  };
  const TensorView a{nullptr, DType::kF32, {-1, 8}};
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {8}}}), Code::kOk);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {-1, 8}}}), Code::kOk);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {-1, 1}}}), Code::kOk);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {-2, 1}}}), Code::kShapeMismatch);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {-2, 8}}}), Code::kShapeMismatch);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a, {nullptr, DType::kF32, {1}}}), Code::kShapeMismatch);
  EXPECT_EQ(infer(Elementwise::Function::kAdd, {a}), Code::kInvalidArgument);
  EXPECT_EQ(infer(Elementwise::Function::kRelu, {a, a}), Code::kInvalidArgument);
  Elementwise::Params params;
  EXPECT_EQ(Elementwise::parse(with_function("cube"), params).code, Code::kInvalidArgument);
  EXPECT_EQ(Elementwise::parse({}, params).code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode::tests
