#include <limits>
#include <random>

#include "ops/merge_top_k.h"
#include "tests/cuda/cuda_harness.h"

namespace silverlode::cuda {
namespace {

OpResult compare(const Tensor<float>& scores, const Tensor<int32_t>& ids, const Tensor<int32_t>* counts, int64_t k) {
  Attributes attributes;
  attributes.values["k"] = k;
  std::vector<TensorView> inputs = {scores.view(), ids.view()};
  if (counts != nullptr) inputs.push_back(counts->view());
  return expect_same<MergeTopK>(entry<MergeTopK>(), cpu::entry<MergeTopK>(), attributes, inputs);
}

TEST(CudaMergeTopK, RandomLists) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const float special[] = {0.0f, -0.0f, std::numeric_limits<float>::quiet_NaN(),
                           -std::numeric_limits<float>::infinity()};
  for (int64_t batch : {1, 3, 20}) {
    for (int64_t lists : {0, 1, 2, 5}) {
      for (int64_t n : {0, 1, 70, 1500}) {
        if (batch * lists * n > 20000) continue;
        Tensor<float> scores = {{batch, lists, n}, {}};
        Tensor<int32_t> ids = {{batch, lists, n}, {}};
        Tensor<int32_t> counts = {{batch}, {}};
        const int32_t distinct = static_cast<int32_t>(random() % 3000 + 1);
        for (int64_t i = 0; i < batch * lists * n; ++i) {
          scores.values.push_back(random() % 9 == 0 ? special[random() % 4] : static_cast<float>(random() % 50));
          ids.values.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(distinct)) - 1);
        }
        for (int64_t i = 0; i < batch; ++i) counts.values.push_back(static_cast<int32_t>(random() % 60) - 5);
        for (int64_t k : {int64_t{0}, int64_t{1}, int64_t{40}, lists * n, lists * n + 3}) {
          compare(scores, ids, nullptr, k);
          compare(scores, ids, &counts, k);
        }
      }
    }
  }
}

TEST(CudaMergeTopK, MoreRequestsThanASlab) {
  Tensor<float> scores = {{300, 2, 3}, {}};
  Tensor<int32_t> ids = {{300, 2, 3}, {}};
  for (int32_t i = 0; i < 1800; ++i) {
    scores.values.push_back(static_cast<float>(i * 31 % 7));
    ids.values.push_back(i * 17 % 5);
  }
  compare(scores, ids, nullptr, 4);
}

TEST(CudaMergeTopK, ManyRepeatsInAnyOrderGiveTheSameBytes) {
  Tensor<float> scores = {{2, 3, 200}, {}};
  Tensor<int32_t> ids = {{2, 3, 200}, {}};
  for (int32_t i = 0; i < 1200; ++i) {
    scores.values.push_back(static_cast<float>(i * 31 % 7));
    ids.values.push_back(i * 17 % 151);
  }
  Attributes attributes;
  attributes.values["k"] = int64_t{40};
  expect_repeats<MergeTopK>(entry<MergeTopK>(), attributes, {scores.view(), ids.view()},
                            compare(scores, ids, nullptr, 40).bytes());
}

}  // namespace
}  // namespace silverlode::cuda
