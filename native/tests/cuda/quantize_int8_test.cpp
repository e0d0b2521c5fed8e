#include <cmath>
#include <limits>
#include <random>

#include "ops/quantize_int8.h"
#include "tests/cuda/cuda_harness.h"

namespace silverlode::cuda {
namespace {

OpResult compare(const Tensor<float>& values, int64_t pad_to = 32) {
  Attributes attributes;
  attributes.values["pad_to"] = pad_to;
  return expect_same<QuantizeInt8>(entry<QuantizeInt8>(), cpu::entry<QuantizeInt8>(), attributes, {values.view()});
}

TEST(CudaQuantizeInt8, RandomRowsOfEveryWidth) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int64_t dim : {1, 2, 31, 32, 33, 64, 100, 128, 513}) {
    for (int64_t rows : {0, 1, 7, 200}) {
      Tensor<float> values = {{rows, dim}, std::vector<float>(static_cast<size_t>(rows * dim))};
      for (float& value : values.values) value = std::ldexp(normal(random), static_cast<int>(random() % 40) - 20);
      compare(values);
      compare(values, 1);
    }
  }
}

TEST(CudaQuantizeInt8, TiesZerosAndSubnormals) {
  Tensor<float> values = {
      {6, 4}, {127,    0.5f,    1.5f,   -2.5f, 0,       -0.0f,    0,       0, 1e-45f,  -1e-45f,  0, 1e-44f,
               1e-40f, -3e-40f, 2e-41f, 0,     3.4e38f, -3.4e38f, 1.7e38f, 1, -1e-38f, 1.2e-38f, 0, 1e-39f}};
  compare(values);
}

TEST(CudaQuantizeInt8, WhatIsNotFiniteIsRefused) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    Tensor<float> values = {{40, 33}, std::vector<float>(40 * 33, 1.0f)};
    values.values[20 * 33 + 32] = bad;
    const OpResult result = compare(values);
    EXPECT_STREQ(result.status.text, "quantize_int8: element 692 is not finite");
    EXPECT_EQ(result.bytes()[0], 0xa5) << "written in spite of bad input";
  }
}

}  // namespace
}  // namespace silverlode::cuda
