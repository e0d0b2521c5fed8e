#include "ops/layer_norm.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

TEST(LayerNorm, AgreesWithFloat64) {
  for (int64_t dim : {1, 7, 64, 1000}) {
    const FloatTensor x = random_tensor({3, 11, dim}, 1), weight = random_tensor({dim}, 2),
                      bias = random_tensor({dim}, 3);
    for (int given = 0; given < 4; ++given) {
      const bool with_weight = given & 1, with_bias = given & 2;
      const std::vector<TensorView> inputs = {x.view(), with_weight ? weight.view() : TensorView{},
                                              with_bias ? bias.view() : TensorView{}};
      std::vector<double> expected;
      for (int64_t row = 0; row < 33; ++row) {
        double mean = 0, variance = 0;
        for (int64_t d = 0; d < dim; ++d) mean += x[row * dim + d] / static_cast<double>(dim);
        for (int64_t d = 0; d < dim; ++d) {
          variance += std::pow(x[row * dim + d] - mean, 2) / static_cast<double>(dim);
        }
        for (int64_t d = 0; d < dim; ++d) {
          const double y = (x[row * dim + d] - mean) / std::sqrt(variance + 1e-5);
          expected.push_back(y * (with_weight ? weight[d] : 1) + (with_bias ? bias[d] : 0));
        }
      }
      const Result result = run_op_everywhere<LayerNorm>(cpu::entry<LayerNorm>(), {}, inputs);
      expect_close(result.as<float>(0), expected, 2e-6);
    }
  }
}

TEST(LayerNorm, LargeOffsetsKeepTheirPrecision) {
  std::vector<float> values(256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1e6f + static_cast<float>(i % 2);
  const FloatTensor x(values, {1, 256});
  const Result result = run_op<LayerNorm>(cpu::entry<LayerNorm>(), {}, {x.view()});
  for (float y : result.as<float>(0)) EXPECT_NEAR(std::abs(y), 1.0f, 1e-4f);
}

TEST(LayerNorm, RefusesBadInputs) {
  OutputSpecs outputs;
  const TensorView x{nullptr, DType::kF32, {-1, 8}};
  EXPECT_TRUE(LayerNorm::infer({}, {}, std::vector<TensorView>{x}, outputs).ok());
  EXPECT_EQ(LayerNorm::infer({}, {}, std::vector<TensorView>{x, {nullptr, DType::kF32, {9}}}, outputs).code,
            Code::kShapeMismatch);
  EXPECT_EQ(LayerNorm::infer({}, {}, std::vector<TensorView>{{nullptr, DType::kF32, {}}}, outputs).code,
            Code::kShapeMismatch);
  Attributes attributes;
  attributes.values["epsilon"] = -1.0;
  LayerNorm::Params params;
  EXPECT_EQ(LayerNorm::parse(attributes, params).code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode::tests
