#include <limits>
#include <random>

#include "core/half.h"
#include "ops/top_k.h"
#include "tests/cuda/cuda_harness.h"

namespace silverlode::cuda {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

OpResult compare(const Tensor<float>& scores, const Tensor<int32_t>* payload, int64_t k,
                 const DeviceOptions& options = {}) {
  Attributes attributes;
  attributes.values["k"] = k;
  std::vector<TensorView> inputs = {scores.view()};
  if (payload != nullptr) inputs.push_back(payload->view());
  return expect_same<TopK>(entry<TopK>(), cpu::entry<TopK>(), attributes, inputs, options);
}

// Few distinct values, infinities, zeros of both signs and NaN, or all of them different.
Tensor<float> draw_scores(int64_t rows, int64_t n, bool tied, std::mt19937& random) {
  const float special[] = {kInf, -kInf, 0.0f, -0.0f, kNan, -kNan, 1e-45f, -1e-45f, 3.4e38f};
  std::normal_distribution<float> normal;
  Tensor<float> scores = {{rows, n}, {}};
  for (int64_t i = 0; i < rows * n; ++i) {
    if (random() % 16 == 0) {
      scores.values.push_back(special[random() % 9]);
    } else {
      scores.values.push_back(tied ? static_cast<float>(random() % 5) : normal(random));
    }
  }
  return scores;
}

Tensor<int32_t> draw_payload(const Shape& shape, std::mt19937& random) {
  Tensor<int32_t> payload = {shape, {}};
  for (int64_t i = 0; i < shape.elements(); ++i) payload.values.push_back(static_cast<int32_t>(random() % 40) - 4);
  return payload;
}

TEST(CudaTopK, EveryTierAndEveryK) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int64_t n : {0, 1, 2, 3, 31, 255, 256, 257, 1000, 2048, 2049, 5003, 20011}) {
    const bool tied = random() % 2 == 0;
    const Tensor<float> scores = draw_scores(3, n, tied, random);
    const Tensor<int32_t> payload = draw_payload(scores.shape, random);
    for (int64_t k : {int64_t{0}, int64_t{1}, int64_t{10}, n - 1, n, n + 7}) {
      if (k < 0) continue;
      compare(scores, nullptr, k);
      compare(scores, &payload, k);
    }
  }
}

TEST(CudaTopK, ManyShortRowsAndManyLongOnes) {
  std::mt19937 random(7);
  compare(draw_scores(2000, 20, true, random), nullptr, 5);
  compare(draw_scores(1100, 2100, false, random), nullptr, 3);
}

TEST(CudaTopK, ALargeKOfALongRow) {
  std::mt19937 random(8);
  const Tensor<float> scores = draw_scores(1, 150001, false, random);
  compare(scores, nullptr, 100001);
  compare(scores, nullptr, 1000);
}

// All keys in one bin, pass after pass: scores that differ in their last bits, and equal scores whose ids do.
TEST(CudaTopK, AdversarialDigits) {
  for (uint32_t step : {0u, 1u, 1u << 10, 1u << 21}) {
    Tensor<float> scores = {{1, 9000}, {}};
    for (uint32_t i = 0; i < 9000; ++i) {
      scores.values.push_back(bits_float(0x3f800000u + (i * 2654435761u % 9000 % 512) * step));
    }
    Tensor<int32_t> payload = {{1, 9000}, {}};
    for (int32_t i = 0; i < 9000; ++i) payload.values.push_back(i * 7919 % 9000);
    const Tensor<int32_t> same = {{1, 9000}, std::vector<int32_t>(9000, 5)};
    for (int64_t k : {1, 100, 3000}) {
      compare(scores, nullptr, k);
      compare(scores, &payload, k);
      compare(scores, &same, k);
    }
  }
}

TEST(CudaTopK, AnyGridGivesTheSameBytes) {
  std::mt19937 random(9);
  const Tensor<float> scores = draw_scores(2, 30000, true, random);
  const std::vector<uint8_t> first = compare(scores, nullptr, 700).bytes();
  for (int32_t sm_count : {1, 2, 5, 16}) {
    DeviceOptions options;
    options.sm_count = sm_count;
    EXPECT_EQ(compare(scores, nullptr, 700, options).bytes(), first);
  }
}

TEST(CudaTopK, ManyRepeatsInAnyOrderGiveTheSameBytes) {
  std::mt19937 random(10);
  const Tensor<float> scores = draw_scores(2, 5000, true, random);
  const Tensor<int32_t> payload = draw_payload(scores.shape, random);
  Attributes attributes;
  attributes.values["k"] = int64_t{70};
  expect_repeats<TopK>(entry<TopK>(), attributes, {scores.view(), payload.view()},
                       compare(scores, &payload, 70).bytes());
}

}  // namespace
}  // namespace silverlode::cuda
