#include "ops/top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "core/order.h"
#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Expected {
  std::vector<float> scores;
  std::vector<int32_t> ids, positions;
};

// Sorts every row by the words of the contract.
Expected reference(const Tensor<float>& scores, const Tensor<int32_t>* payload, int64_t k) {
  Expected expected;
  const int64_t n = scores.shape.dim(-1);
  for (int64_t row = 0; row < scores.shape.outer(-1); ++row) {
    const float* values = scores.values.data() + row * n;
    const auto id = [&](int64_t column) {
      return payload == nullptr ? static_cast<int32_t>(column) : payload->values[static_cast<size_t>(row * n + column)];
    };
    std::vector<int64_t> columns;
    for (int64_t column = 0; column < n; ++column) {
      if (id(column) >= 0) columns.push_back(column);
    }
    std::stable_sort(columns.begin(), columns.end(), [&](int64_t a, int64_t b) {
      const bool a_nan = std::isnan(values[a]);
      const bool b_nan = std::isnan(values[b]);
      if (a_nan != b_nan) return b_nan;
      if (!a_nan && values[a] != values[b]) return values[a] > values[b];
      return id(a) < id(b);
    });
    for (int64_t i = 0; i < k; ++i) {
      const bool real = i < static_cast<int64_t>(columns.size());
      const int64_t column = real ? columns[static_cast<size_t>(i)] : -1;
      expected.scores.push_back(real ? values[column] : -kInf);
      expected.ids.push_back(real ? id(column) : -1);
      expected.positions.push_back(static_cast<int32_t>(column));
    }
  }
  return expected;
}

OpResult run_top_k(const Tensor<float>& scores, const Tensor<int32_t>* payload, int64_t k, int32_t threads = 1,
                   SimdLevel level = best_simd_level()) {
  Attributes attributes;
  attributes.values["k"] = k;
  std::vector<TensorView> inputs = {scores.view()};
  if (payload != nullptr) inputs.push_back(payload->view());
  return run_op<TopK>(entry<TopK>(), attributes, inputs, threads, level);
}

void expect_equal(const OpResult& result, const Expected& expected) {
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  const std::vector<float> scores = result.values<float>(0);
  ASSERT_EQ(scores.size(), expected.scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    ASSERT_TRUE(scores[i] == expected.scores[i] || (std::isnan(scores[i]) && std::isnan(expected.scores[i]))) << i;
  }
  ASSERT_EQ(result.values<int32_t>(1), expected.ids);
  ASSERT_EQ(result.values<int32_t>(2), expected.positions);
}

TEST(TopK, SmallCaseByHand) {
  const float nan = std::nanf("");
  const Tensor<float> scores = {{8}, {1.0f, nan, 0.0f, -0.0f, kInf, -kInf, 1.0f, nan}};
  const OpResult result = run_top_k(scores, nullptr, 10);
  EXPECT_EQ(result.values<int32_t>(1), (std::vector<int32_t>{4, 0, 6, 2, 3, 5, 1, 7, -1, -1}));
  EXPECT_EQ(result.values<int32_t>(2), (std::vector<int32_t>{4, 0, 6, 2, 3, 5, 1, 7, -1, -1}));
  EXPECT_EQ(result.values<float>(0)[0], kInf);
  EXPECT_EQ(float_bits(result.values<float>(0)[4]), 0u);  // -0 comes back as +0
  EXPECT_EQ(float_bits(result.values<float>(0)[6]), 0x7fc00000u);
  EXPECT_EQ(result.values<float>(0)[9], -kInf);
}

TEST(TopK, LargestOfThePublicReferencesCases) {
  const Tensor<float> scores = {{3, 4}, {.5f, .4f, .8f, 1.2f, 1.8f, 1.9f, .4f, .3f, .8f, .7f, .9f, .6f}};
  const std::vector<int32_t> ids = run_top_k(scores, nullptr, 3).values<int32_t>(1);
  EXPECT_EQ(ids, (std::vector<int32_t>{3, 2, 0, 1, 0, 2, 2, 0, 1}));
}

TEST(TopK, PayloadBreaksTiesThenTheColumn) {
  const Tensor<float> scores = {{1, 6}, {1.0f, 1.0f, 1.0f, 2.0f, 1.0f, 1.0f}};
  const Tensor<int32_t> payload = {{1, 6}, {9, 5, 5, -1, 5, 0}};
  const OpResult result = run_top_k(scores, &payload, 4);
  EXPECT_EQ(result.values<int32_t>(1), (std::vector<int32_t>{0, 5, 5, 5}));
  EXPECT_EQ(result.values<int32_t>(2), (std::vector<int32_t>{5, 1, 2, 4}));
}

TEST(TopK, EqualsTheReferenceAtEveryLevelAndThreadCount) {
  const uint32_t seed = 20240521;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const float specials[] = {std::nanf(""), kInf, -kInf, -0.0f, 0.0f};
  for (int64_t rows : {1, 2, 9}) {
    for (int64_t n : {0, 1, 63, 64, 65, 1000, 40000}) {
      if (rows != 2 && n > 1000) continue;
      for (int kind = 0; kind < 3; ++kind) {
        Tensor<float> scores = {{rows, n}, {}};
        Tensor<int32_t> payload = {{rows, n}, {}};
        for (int64_t i = 0; i < rows * n; ++i) {
          const float unit = std::uniform_real_distribution<float>(-1.0f, 1.0f)(random);
          scores.values.push_back(kind == 0 ? unit : kind == 1 ? std::round(unit * 4) : specials[random() % 5]);
          payload.values.push_back(static_cast<int32_t>(random() % 50) - 1);
        }
        for (int64_t k : {int64_t{0}, int64_t{1}, int64_t{100}, n / 8, n / 2, n, n + 3}) {
          for (const bool with_payload : {false, true}) {
            const Tensor<int32_t>* given = with_payload ? &payload : nullptr;
            SCOPED_TRACE(testing::Message()
                         << rows << "x" << n << " kind " << kind << " k " << k << " payload " << with_payload);
            const OpResult first = run_top_k(scores, given, k);
            expect_equal(first, reference(scores, given, k));
            for (int32_t threads : {2, 3, 8}) ASSERT_EQ(run_top_k(scores, given, k, threads).bytes(), first.bytes());
            for (SimdLevel level : supported_levels()) {
              ASSERT_EQ(run_top_k(scores, given, k, 2, level).bytes(), first.bytes());
            }
          }
        }
      }
    }
  }
}

TEST(TopK, ManyEqualEntriesStayFast) {
  const int64_t n = 200000;
  const Tensor<float> scores = {{n}, std::vector<float>(static_cast<size_t>(n), 1.0f)};
  const Tensor<int32_t> payload = {{n}, std::vector<int32_t>(static_cast<size_t>(n), 7)};
  const OpResult result = run_top_k(scores, &payload, n / 2, 2);
  std::vector<int32_t> expected(static_cast<size_t>(n / 2));
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(result.values<int32_t>(2), expected);
}

TEST(TopK, SymbolicShapesAndMessages) {
  TopK::Params params;
  params.k = -2;
  TensorView scores;
  scores.dtype = DType::kF32;
  scores.shape = {-1, 8};
  OutputSpecs specs;
  ASSERT_TRUE(TopK::infer(params, {}, std::vector<TensorView>{scores}, specs).ok());
  EXPECT_EQ(specs.shapes[1], (Shape{-1, -2}));
  const int64_t values[] = {4, 100};
  OutputSpecs resolved;
  ASSERT_TRUE(TopK::infer(params, {values}, std::vector<TensorView>{scores}, resolved).ok());
  EXPECT_EQ(resolved.shapes[0], (Shape{-1, 100}));

  TensorView payload = scores;
  payload.dtype = DType::kI32;
  payload.shape = {-1, 9};
  const Status status = TopK::infer(params, {}, std::vector<TensorView>{scores, payload}, specs);
  EXPECT_EQ(status.code, Code::kShapeMismatch);
  EXPECT_STREQ(status.text, "top_k: input 'payload' must have shape [s1, 8], got [s1, 9]");
}

}  // namespace
}  // namespace silverlode::cpu
