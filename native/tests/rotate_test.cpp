#include "ops/rotate.h"

#include <bit>
#include <cmath>
#include <random>

#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

struct Given {
  Tensor<float> values, mean;
  Tensor<int8_t> signs;

  Given(int64_t rows, int64_t dim, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    const int64_t padded = (dim + 31) / 32 * 32;
    values = {{rows, dim}, std::vector<float>(static_cast<size_t>(rows * dim))};
    mean = {{dim}, std::vector<float>(static_cast<size_t>(dim))};
    signs = {{padded}, std::vector<int8_t>(static_cast<size_t>(padded))};
    for (float& value : values.values) value = normal(random);
    for (float& value : mean.values) value = normal(random);
    for (int8_t& sign : signs.values) sign = random() % 2 == 0 ? 1 : -1;
  }
};

OpResult run_rotate(const Given& given, const char* subtract, bool with_mean = true, int32_t threads = 1,
                    SimdLevel level = best_simd_level()) {
  Attributes attributes;
  attributes.values["subtract"] = std::string(subtract);
  std::vector<TensorView> inputs = {given.values.view(), given.signs.view()};
  if (with_mean) inputs.push_back(given.mean.view());
  return run_op<Rotate>(entry<Rotate>(), attributes, inputs, threads, level);
}

// The matrix itself in float64: H[i][j] = (-1)^(bits common to i and j) / sqrt(n) within a block.
std::vector<double> multiplied(const Given& given, int64_t row, bool centre) {
  const int64_t dim = given.values.shape.dim(1), padded = given.signs.shape.dim(0);
  std::vector<double> result(static_cast<size_t>(padded));
  for (int64_t begin = 0; begin < padded;) {
    const auto size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(padded - begin)));
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j < size && begin + j < dim; ++j) {
        const auto column = static_cast<size_t>(begin + j);
        double value = given.values.values[static_cast<size_t>(row * dim) + column];
        if (centre) value -= given.mean.values[column];
        const int odd = std::popcount(static_cast<uint64_t>(i & j)) % 2;
        result[static_cast<size_t>(begin + i)] += (odd ? -value : value) * given.signs.values[column] / std::sqrt(size);
      }
    }
    begin += size;
  }
  return result;
}

TEST(Rotate, IsTheMatrixOfItsDefinition) {
  for (int64_t dim : {1, 32, 33, 96, 100, 224, 500}) {
    for (bool centre : {false, true}) {
      const Given given(5, dim, 7);
      const OpResult result = run_rotate(given, centre ? "mean" : "nothing");
      ASSERT_TRUE(result.status.ok()) << result.status.text;
      const std::vector<float> rotated = result.values<float>(0), offsets = result.values<float>(1);
      for (int64_t row = 0; row < 5; ++row) {
        const std::vector<double> expected = multiplied(given, row, centre);
        double offset = 0;
        for (int64_t d = 0; d < dim; ++d) {
          const auto at = static_cast<size_t>(d);
          const float value = given.values.values[static_cast<size_t>(row * dim + d)], mean = given.mean.values[at];
          const float v = centre ? value - mean : value;
          offset += static_cast<double>(v) * static_cast<double>(mean);
        }
        EXPECT_EQ(offsets[static_cast<size_t>(row)], static_cast<float>(offset));
        for (size_t d = 0; d < expected.size(); ++d) {
          ASSERT_NEAR(rotated[static_cast<size_t>(row) * expected.size() + d], expected[d], 2e-5) << dim << " " << d;
        }
      }
    }
  }
}

// values * x = factor * (v * (x - mean) + mean * (x - mean) + offset) for every x.
TEST(Rotate, AlignedScoresAreScores) {
  const int64_t dim = 50;
  Given given(40, dim, 3);
  for (float& value : given.mean.values) value *= 10;
  for (int64_t i = 0; i < 20 * dim; ++i) {
    given.values.values[static_cast<size_t>(i)] += given.mean.values[static_cast<size_t>(i % dim)];
  }
  const std::vector<float> v = run_rotate(given, "aligned").values<float>(0),
                           x = run_rotate(given, "mean").values<float>(0);
  const std::vector<float> offsets = run_rotate(given, "aligned").values<float>(1);
  const std::vector<float> factors = run_rotate(given, "aligned").values<float>(2);
  const std::vector<float> products = run_rotate(given, "mean").values<float>(1);
  const auto dot = [](const float* a, const float* b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  };
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_GT(factors[i], 0.0f);
    for (size_t j = 0; j < 20; ++j) {
      const double exact = dot(&given.values.values[i * dim], &given.values.values[j * dim], dim);
      const double sum = dot(&v[i * 64], &x[j * 64], 64) + products[j] + offsets[i];
      EXPECT_NEAR(factors[i] * sum, exact, 1e-5 * std::fabs(exact) + 0.02) << i << " " << j;
    }
  }
}

TEST(Rotate, SameBitsOnEveryLevelAndThreadCount) {
  const Given given(3000, 70, 11);
  const OpResult first = run_rotate(given, "aligned", true, 1, SimdLevel::kSerial);
  for (SimdLevel level : supported_levels()) {
    for (int32_t threads : {1, 2, 5})
      EXPECT_EQ(run_rotate(given, "aligned", true, threads, level).bytes(), first.bytes());
  }
}

TEST(Rotate, OffsetsAreZeroWithoutAMean) {
  const OpResult result = run_rotate(Given(3, 40, 2), "nothing", false);
  EXPECT_EQ(result.values<float>(1), std::vector<float>(3, 0.0f));
}

TEST(Rotate, ShapesAndAttributes) {
  const Given given(2, 3, 1);
  EXPECT_EQ(run_rotate(given, "nothing").outputs[0].shape, (Shape{2, 32}));
  EXPECT_EQ(run_rotate(given, "nothing").outputs[1].shape, (Shape{2}));
  EXPECT_EQ(run_rotate(given, "most").status.code, Code::kInvalidArgument);
  EXPECT_EQ(run_rotate(given, "mean", false).status.code, Code::kInvalidArgument);
  Given few_signs = given;
  few_signs.signs.shape = {31};
  EXPECT_EQ(run_rotate(few_signs, "nothing").status.code, Code::kShapeMismatch);
  Given long_mean = given;
  long_mean.mean = {{4}, std::vector<float>(4)};
  EXPECT_EQ(run_rotate(long_mean, "nothing").status.code, Code::kShapeMismatch);
  EXPECT_TRUE(run_rotate(Given(0, 3, 1), "nothing").status.ok());
  EXPECT_TRUE(run_rotate(Given(3, 0, 1), "aligned").status.ok());
}

}  // namespace
}  // namespace silverlode::cpu
