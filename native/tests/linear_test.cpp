#include "ops/linear.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

std::vector<double> reference(const FloatTensor& x, const FloatTensor& weight, const std::vector<float>* bias,
                              Activation activation) {
  const int64_t in_dim = x.shape.dim(-1), out_dim = weight.shape.dim(0);
  std::vector<double> y;
  for (int64_t m = 0; m < x.shape.outer(-1); ++m) {
    for (int64_t n = 0; n < out_dim; ++n) {
      double sum = bias == nullptr ? 0 : (*bias)[static_cast<size_t>(n)];
      for (int64_t k = 0; k < in_dim; ++k) sum += x[m * in_dim + k] * weight[n * in_dim + k];
      y.push_back(activate_exactly(sum, activation));
    }
  }
  return y;
}

TEST(Linear, AgreesWithFloat64) {
  const OpEntry<Linear::Args> entry = cpu::entry<Linear>();
  const PreparedEntry<Linear::Args> prepared(entry);
  uint32_t seed = 5;
  for (Activation activation : {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kSilu,
                                Activation::kSigmoid, Activation::kTanh}) {
    for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (bool with_bias : {true, false}) {
        const FloatTensor x = random_tensor({2, 9, 37}, ++seed);
        const FloatTensor weight = random_tensor({45, 37}, ++seed, dtype, 0.2f);
        const std::vector<float> bias = random_rows(45, 1, ++seed);
        std::vector<TensorView> inputs = {x.view(), weight.view()};
        if (with_bias) inputs.push_back(view_of(bias, {45}));
        Attributes attributes;
        attributes.values["activation"] = std::string(activation_name(activation));
        const Result result = run_op_everywhere<Linear>(entry, attributes, inputs);
        const Result again = run_op_everywhere<Linear>(prepared, attributes, inputs);
        EXPECT_EQ(result.outputs, again.outputs);
        expect_close(result.as<float>(0), reference(x, weight, with_bias ? &bias : nullptr, activation), 1e-5);
      }
    }
  }
}

TEST(Linear, BatchSplitsGiveEqualBits) {
  const FloatTensor x = random_tensor({140, 64}, 1);
  const FloatTensor weight = random_tensor({96, 64}, 2);
  const Result whole = run_op<Linear>(cpu::entry<Linear>(), {}, {x.view(), weight.view()});
  std::vector<float> joined;
  for (int64_t first = 0, n = 1; first < 140; first += n, n = std::min<int64_t>(n + 1, 140 - first)) {
    TensorView part = x.view();
    part.data = part.as<float>() + first * 64;
    part.shape = {n, 64};
    const Result result = run_op<Linear>(cpu::entry<Linear>(), {}, {part, weight.view()});
    for (float value : result.as<float>(0)) joined.push_back(value);
  }
  EXPECT_EQ(whole.as<float>(0), joined);
}

TEST(Linear, NoRows) {
  const FloatTensor x({}, {0, 8}), weight = random_tensor({4, 8}, 1);
  const Result result = run_op<Linear>(cpu::entry<Linear>(), {}, {x.view(), weight.view()});
  EXPECT_TRUE(result.status.ok()) << result.status.text;
}

TEST(Linear, SymbolicBatch) {
  const TensorView x{nullptr, DType::kF32, {-1, 8}}, weight{nullptr, DType::kBF16, {4, 8}};
  OutputSpecs outputs;
  ASSERT_TRUE(Linear::infer({}, {}, std::vector<TensorView>{x, weight, {}}, outputs).ok());
  EXPECT_EQ(outputs.shapes[0], (Shape{-1, 4}));
}

TEST(Linear, RefusesBadInputs) {
  const auto infer = [](std::vector<TensorView> inputs) {
    OutputSpecs outputs;
    return Linear::infer({}, {}, inputs, outputs);
  };
  const TensorView x{nullptr, DType::kF32, {-1, 8}}, weight{nullptr, DType::kF32, {4, 8}};
  EXPECT_EQ(infer({x}).code, Code::kInvalidArgument);
  EXPECT_EQ(infer({x, {nullptr, DType::kF32, {4, 9}}}).code, Code::kShapeMismatch);
  EXPECT_EQ(infer({x, {nullptr, DType::kI8, {4, 8}}}).code, Code::kUnsupportedDtype);
  EXPECT_EQ(infer({x, weight, {nullptr, DType::kF32, {5}}}).code, Code::kShapeMismatch);
  EXPECT_EQ(infer({{nullptr, DType::kF16, {-1, 8}}, weight}).code, Code::kUnsupportedDtype);
  const Status status = infer({x, {nullptr, DType::kF32, {4, 9}}});
  EXPECT_STREQ(status.text, "linear: input 'weight' must have shape [4, 8], got [4, 9]");
  Attributes attributes;
  attributes.values["activation"] = std::string("swish");
  Linear::Params params;
  EXPECT_EQ(Linear::parse(attributes, params).code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode::tests
