#include "ops/quantize_int8.h"

#include <cmath>
#include <limits>
#include <random>

#include "core/half.h"
#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

OpResult run_quantize(const Tensor<float>& values, int64_t pad_to = 32, int32_t threads = 1) {
  Attributes attributes;
  attributes.values["pad_to"] = pad_to;
  return run_op<QuantizeInt8>(entry<QuantizeInt8>(), attributes, {values.view()}, threads);
}

TEST(QuantizeInt8, ByHand) {
  const OpResult result = run_quantize({{2, 4}, {127.0f, -127.0f, 0.5f, 1.5f, 0, -0.0f, 0, 0}}, 8);
  EXPECT_EQ(result.outputs[0].shape, (Shape{2, 8}));
  EXPECT_EQ(result.outputs[1].shape, (Shape{2}));
  EXPECT_EQ(result.values<float>(1), (std::vector<float>{1.0f, 0.0f}));
  const std::vector<int8_t> q = result.values<int8_t>(0);
  EXPECT_EQ(std::vector<int8_t>(q.begin(), q.begin() + 8), (std::vector<int8_t>{127, -127, 0, 2, 0, 0, 0, 0}));
  EXPECT_EQ(std::vector<int8_t>(q.begin() + 8, q.end()), std::vector<int8_t>(8, 0));
}

TEST(QuantizeInt8, EqualsTheReference) {
  const uint32_t seed = 20240541;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int64_t dim : {1, 3, 16, 31, 32, 33, 100, 128}) {
    const int64_t rows = 700;
    Tensor<float> values = {{rows, dim}, {}};
    for (int64_t i = 0; i < rows * dim; ++i) {
      // Any exponent, subnormal and huge rows included; some exact halves of a step.
      const int exponent = static_cast<int>((i / dim) * 7919 % 270) - 145;
      const float unit = std::uniform_real_distribution<float>(-1.0f, 1.0f)(random);
      values.values.push_back(std::ldexp(i % 3 == 0 ? std::round(unit * 254) / 254 : unit, exponent));
    }
    const OpResult first = run_quantize(values);
    ASSERT_TRUE(first.status.ok()) << first.status.text;
    const int64_t padded = (dim + 31) / 32 * 32;
    const std::vector<int8_t> q = first.values<int8_t>(0);
    const std::vector<float> scales = first.values<float>(1);
    for (int64_t row = 0; row < rows; ++row) {
      float largest = 0.0f;
      for (int64_t d = 0; d < dim; ++d)
        largest = std::fmax(largest, std::fabs(values.values[static_cast<size_t>(row * dim + d)]));
      const float scale = largest / 127.0f;
      ASSERT_EQ(float_bits(scales[static_cast<size_t>(row)]), float_bits(scale)) << row;
      for (int64_t d = 0; d < padded; ++d) {
        float expected = 0.0f;
        if (d < dim && scale > 0) {
          expected = std::nearbyint(values.values[static_cast<size_t>(row * dim + d)] / scale);
          expected = std::fmin(127.0f, std::fmax(-127.0f, expected));
        }
        ASSERT_EQ(q[static_cast<size_t>(row * padded + d)], static_cast<int>(expected))
            << dim << " row " << row << " column " << d;
      }
    }
    for (int32_t threads : {2, 3, 8}) EXPECT_EQ(run_quantize(values, 32, threads).bytes(), first.bytes());
  }
}

TEST(QuantizeInt8, NonFiniteRowsAreNamedBeforeAnyWrite) {
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    Tensor<float> values = {{5000, 40}, std::vector<float>(200000, 1.0f)};
    values.values[4990 * 40] = bad;
    values.values[3000 * 40 + 39] = bad;
    const OpResult result = run_quantize(values, 32, 3);
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_STREQ(result.status.text, "quantize_int8: row 3000 of 'values' holds NaN or Infinity");
    EXPECT_EQ(result.bytes()[0], 0xa5);
  }
}

TEST(QuantizeInt8, ShapesAndAttributes) {
  EXPECT_EQ(run_quantize({{2, 3}, std::vector<float>(6)}, 0).status.code, Code::kInvalidArgument);
  EXPECT_EQ(run_quantize({{2, 3}, std::vector<float>(6)}, 1).outputs[0].shape, (Shape{2, 3}));
  EXPECT_EQ(run_quantize({{3}, {1, 2, 3}}).outputs[1].shape, Shape{});
  EXPECT_TRUE(run_quantize({{0, 3}, {}}).status.ok());
  EXPECT_TRUE(run_quantize({{3, 0}, {}}).status.ok());
}

}  // namespace
}  // namespace silverlode::cpu
