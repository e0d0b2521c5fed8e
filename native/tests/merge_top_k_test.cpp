#include "ops/merge_top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "core/order.h"
#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

OpResult run_merge(const Tensor<float>& scores, const Tensor<int32_t>& ids, int64_t k,
                   const Tensor<int32_t>* counts = nullptr, int32_t threads = 1) {
  Attributes attributes;
  attributes.values["k"] = k;
  std::vector<TensorView> inputs = {scores.view(), ids.view()};
  if (counts != nullptr) inputs.push_back(counts->view());
  return run_op<MergeTopK>(entry<MergeTopK>(), attributes, inputs, threads);
}

// The main and fresh lists of the public reference's test; the shorter fresh list is padded.
TEST(MergeTopK, MainAndFresh) {
  const Tensor<float> scores = {{2, 2, 5}, {.90f, .10f, .70f, .80f, .40f, .95f, .20f, .30f, .60f, 9.0f,  //
                                            .15f, .28f, .85f, .05f, .38f, .62f, .99f, .48f, .31f, 9.0f}};
  const Tensor<int32_t> ids = {{2, 2, 5}, {30, 60, 50, 40, 10, 200, 100, 300, 400, -1,  //
                                           70, 30, 40, 20, 10, 500, 200, 400, 100, -1}};
  const OpResult three = run_merge(scores, ids, 3);
  EXPECT_EQ(three.values<int32_t>(1), (std::vector<int32_t>{200, 30, 40, 200, 40, 500}));
  EXPECT_EQ(three.values<int32_t>(2), (std::vector<int32_t>{1, 0, 0, 1, 0, 1}));
  const OpResult seven = run_merge(scores, ids, 7);
  EXPECT_EQ(seven.values<int32_t>(1),
            (std::vector<int32_t>{200, 30, 40, 50, 400, 10, 300, 200, 40, 500, 400, 10, 100, 30}));
  const OpResult twenty = run_merge(scores, ids, 20);
  EXPECT_EQ(twenty.values<int32_t>(1)[8], 60);
  EXPECT_EQ(twenty.values<int32_t>(1)[9], -1);
  EXPECT_EQ(twenty.values<float>(0)[9], -kInf);
  EXPECT_EQ(twenty.values<int32_t>(2)[9], -1);
}

TEST(MergeTopK, BestScoreWinsThenTheLowerList) {
  const Tensor<float> scores = {{1, 3, 2}, {1.0f, 5.0f, 2.0f, 5.0f, 2.0f, std::nanf("")}};
  const Tensor<int32_t> ids = {{1, 3, 2}, {7, 8, 7, 8, 7, 9}};
  const OpResult result = run_merge(scores, ids, 4);
  EXPECT_EQ(result.values<int32_t>(1), (std::vector<int32_t>{8, 7, 9, -1}));
  EXPECT_EQ(result.values<int32_t>(2), (std::vector<int32_t>{0, 1, 2, -1}));
  EXPECT_EQ(result.values<float>(0)[1], 2.0f);
}

TEST(MergeTopK, EqualsTheReferenceAtEveryThreadCount) {
  const uint32_t seed = 20240531;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int64_t batch : {1, 3, 17}) {
    for (int64_t lists : {1, 2, 5}) {
      for (int64_t n : {0, 1, 100, 1500}) {
        Tensor<float> scores = {{batch, lists, n}, {}};
        Tensor<int32_t> ids = {{batch, lists, n}, {}};
        Tensor<int32_t> counts = {{batch}, {}};
        for (int64_t i = 0; i < batch * lists * n; ++i) {
          scores.values.push_back(static_cast<float>(random() % 64) / 8.0f - 4.0f);
          ids.values.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(n + 2)) - 1);
        }
        for (int64_t b = 0; b < batch; ++b) counts.values.push_back(static_cast<int32_t>(random() % 120) - 2);
        for (int64_t k : {0, 1, 100, 2000}) {
          SCOPED_TRACE(testing::Message() << batch << " " << lists << " " << n << " k " << k);
          std::vector<int32_t> expected_ids;
          std::vector<int32_t> expected_sources;
          for (int64_t b = 0; b < batch; ++b) {
            std::map<int32_t, std::pair<float, int32_t>> best;
            for (int64_t i = 0; i < lists * n; ++i) {
              const size_t at = static_cast<size_t>(b * lists * n + i);
              const auto [slot, fresh] =
                  best.try_emplace(ids.values[at], scores.values[at], static_cast<int32_t>(i / n));
              if (!fresh && scores.values[at] > slot->second.first)
                slot->second = {scores.values[at], static_cast<int32_t>(i / n)};
            }
            best.erase(-1);
            std::vector<std::pair<int32_t, std::pair<float, int32_t>>> order(best.begin(), best.end());
            std::stable_sort(order.begin(), order.end(),
                             [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
            for (int64_t i = 0; i < k; ++i) {
              const bool real = i < static_cast<int64_t>(order.size()) && i < counts.values[static_cast<size_t>(b)];
              expected_ids.push_back(real ? order[static_cast<size_t>(i)].first : -1);
              expected_sources.push_back(real ? order[static_cast<size_t>(i)].second.second : -1);
            }
          }
          const OpResult first = run_merge(scores, ids, k, &counts);
          ASSERT_TRUE(first.status.ok());
          ASSERT_EQ(first.values<int32_t>(1), expected_ids);
          ASSERT_EQ(first.values<int32_t>(2), expected_sources);
          for (int32_t threads : {2, 3, 8})
            ASSERT_EQ(run_merge(scores, ids, k, &counts, threads).bytes(), first.bytes());
        }
      }
    }
  }
}

}  // namespace
}  // namespace silverlode::cpu
