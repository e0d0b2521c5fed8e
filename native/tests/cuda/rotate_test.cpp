#include <random>

#include "ops/rotate.h"
#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

template <class T>
Tensor<T> random_values(const Shape& shape, std::mt19937& random, T (*make)(std::mt19937&)) {
  Tensor<T> made = {shape, std::vector<T>(static_cast<size_t>(shape.elements()))};
  for (T& value : made.values) value = make(random);
  return made;
}

float normal(std::mt19937& random) { return std::normal_distribution<float>()(random); }
int8_t sign(std::mt19937& random) { return random() % 2 == 0 ? int8_t{1} : int8_t{-1}; }

TEST(CudaRotate, HasTheBitsOfTheCpu) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int64_t dim : {0, 1, 31, 32, 33, 64, 96, 100, 128, 224, 768}) {
    for (int64_t rows : {0, 1, 5, 70}) {
      const Tensor<float> values = random_values<float>({rows, dim}, random, normal);
      const Tensor<float> mean = random_values<float>({dim}, random, normal);
      const Tensor<int8_t> signs = random_values<int8_t>({(dim + 31) / 32 * 32}, random, sign);
      const auto compare = [&](const char* subtract, const std::vector<TensorView>& inputs) {
        Attributes attributes;
        attributes.values["subtract"] = std::string(subtract);
        expect_same<Rotate>(entry<Rotate>(), cpu::entry<Rotate>(), attributes, inputs);
      };
      compare("nothing", {values.view(), signs.view()});
      for (const char* subtract : {"nothing", "mean", "aligned"}) {
        compare(subtract, {values.view(), signs.view(), mean.view()});
      }
    }
  }
}

TEST(CudaRotate, HasTheBitsOfTheCpuAtTheEndsOfTheRange) {
  std::mt19937 random(5);
  for (const float scale : {0.0f, 1e-45f, 1e-38f, 1e-20f, 1e20f, 1e38f}) {
    for (const float mean_scale : {0.0f, 1e-30f, 1.0f, 1e30f}) {
      Tensor<float> values = random_values<float>({9, 70}, random, normal);
      Tensor<float> mean = random_values<float>({70}, random, normal);
      const Tensor<int8_t> signs = random_values<int8_t>({96}, random, sign);
      for (float& value : values.values) value *= scale;
      for (float& value : mean.values) value *= mean_scale;
      for (const char* subtract : {"nothing", "mean", "aligned"}) {
        Attributes attributes;
        attributes.values["subtract"] = std::string(subtract);
        expect_same<Rotate>(entry<Rotate>(), cpu::entry<Rotate>(), attributes,
                            {values.view(), signs.view(), mean.view()});
      }
    }
  }
}

TEST(CudaRotate, Repeats) {
  std::mt19937 random(3);
  const Tensor<float> values = random_values<float>({70, 40}, random, normal);
  const Tensor<int8_t> signs = random_values<int8_t>({64}, random, sign);
  expect_repeats<Rotate>(entry<Rotate>(), {}, {values.view(), signs.view()});
}

}  // namespace
}  // namespace silverlode::cuda
