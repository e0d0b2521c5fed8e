#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/order.h"
#include "tests/ivf_scan_fixture.h"

namespace silverlode::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

using Index = ScanInputs;

struct Expected {
  std::vector<float> scores;
  std::vector<int32_t> ordinals;
  std::vector<int64_t> scanned;
};

// Scores one row after another, sorts everything.
Expected reference(const Index& index, int64_t k, const std::string& metric, bool biased) {
  Expected expected;
  const int64_t batch = index.queries.shape.dim(0);
  const int64_t heads = index.queries.shape.dim(1);
  const int64_t dim = index.queries.shape.dim(2);
  const int64_t n_clusters = index.clusters.shape.dim(2);
  const int64_t words = index.live.shape.dim(0);
  for (int64_t b = 0; b < batch; ++b) {
    const int32_t mask_row = index.mask_of.values[static_cast<size_t>(b)];
    const int64_t* mask = mask_row < 0 ? index.live.values.data() : index.mask.values.data() + mask_row * words;
    const int64_t limit = std::clamp<int64_t>(index.limits.values[static_cast<size_t>(b)], 0, k);
    expected.scanned.push_back(0);
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t q = b * heads + h;
      const int8_t* query = index.queries.values.data() + q * dim;
      const float scale = index.query_scales.values[static_cast<size_t>(q)];
      int64_t squares = 0;
      for (int64_t d = 0; d < dim; ++d) squares += query[d] * query[d];
      std::vector<int32_t> probed(
          index.clusters.values.begin() + q * n_clusters,
          index.clusters.values.begin() + q * n_clusters + index.counts.values[static_cast<size_t>(q)]);
      std::sort(probed.begin(), probed.end());
      probed.erase(std::unique(probed.begin(), probed.end()), probed.end());
      std::vector<RankKey> keys;
      for (int32_t cluster : probed) {
        if (limit == 0) break;
        for (int64_t row = index.begin.values[static_cast<size_t>(cluster)];
             row < index.begin.values[static_cast<size_t>(cluster) + 1]; ++row) {
          if (!(static_cast<uint64_t>(mask[row / 64]) >> (row % 64) & 1)) continue;
          ++expected.scanned.back();
          int32_t dot = 0;
          for (int64_t d = 0; d < dim; ++d) dot += query[d] * index.rows.values[static_cast<size_t>(row * dim + d)];
          float score = scaled_dot(dot, index.row_scales.values[static_cast<size_t>(row)], scale);
          if (biased) score += index.bias.values[static_cast<size_t>(row)];
          if (metric == "l2") score = l2_score(score, dequantized_norm(squares, scale));
          keys.push_back(make_key(score, static_cast<uint32_t>(index.ordinals.values[static_cast<size_t>(row)])));
        }
      }
      std::sort(keys.begin(), keys.end(), std::greater<RankKey>());
      for (int64_t i = 0; i < k; ++i) {
        const bool real = i < limit && i < static_cast<int64_t>(keys.size());
        expected.scores.push_back(real ? key_score(keys[static_cast<size_t>(i)]) : -kInf);
        expected.ordinals.push_back(real ? static_cast<int32_t>(key_ordinal(keys[static_cast<size_t>(i)])) : -1);
      }
    }
  }
  return expected;
}

void expect_equal(const OpResult& result, const Expected& expected) {
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  const std::vector<float> scores = result.values<float>(0);
  for (size_t i = 0; i < scores.size(); ++i) {
    ASSERT_TRUE(scores[i] == expected.scores[i] || (std::isnan(scores[i]) && std::isnan(expected.scores[i]))) << i;
  }
  ASSERT_EQ(result.values<int32_t>(1), expected.ordinals);
  ASSERT_EQ(result.values<int64_t>(2), expected.scanned);
}

TEST(IvfScan, ExactDotsByHand) {
  std::mt19937 random(1);
  Index index({2}, 1, 1, 32, random);
  std::fill(index.rows.values.begin(), index.rows.values.end(), int8_t{0});
  std::fill(index.queries.values.begin(), index.queries.values.end(), int8_t{0});
  std::fill(index.row_scales.values.begin(), index.row_scales.values.end(), 1.0f);
  index.query_scales.values = {1.0f};
  index.ordinals.values[0] = 0;
  index.ordinals.values[1] = 1;
  const auto put = [](std::vector<int8_t>& values, int64_t at, std::initializer_list<int8_t> head) {
    std::copy(head.begin(), head.end(), values.begin() + at);
  };
  put(index.queries.values, 0, {5, 6});
  put(index.rows.values, 0, {1, 2});
  put(index.rows.values, 32, {3, 4});
  EXPECT_EQ(index.run(3).values<float>(0), (std::vector<float>{39.0f, 17.0f, -kInf}));
  EXPECT_EQ(index.run(3).values<int32_t>(1), (std::vector<int32_t>{1, 0, -1}));
  EXPECT_EQ(index.run(3).values<int64_t>(2), std::vector<int64_t>{2});

  put(index.queries.values, 0, {10, 20, 30, 40});
  put(index.rows.values, 0, {1, 2, 3, 4});
  put(index.rows.values, 32, {-1, -2, -3, -4});
  EXPECT_EQ(index.run(2).values<float>(0), (std::vector<float>{300.0f, -300.0f}));
  index.query_scales.values = {1.0f / 100.0f};
  EXPECT_EQ(index.run(2).values<float>(0), (std::vector<float>{3.0f, -3.0f}));
  index.query_scales.values = {1.0f};
  index.row_scales.values[0] = 0.5f;
  EXPECT_EQ(index.run(1).values<float>(0), (std::vector<float>{150.0f}));
}

// Random clusters, masks of every density, shared masks, several heads, limits, ties, all metrics, with and without bias.
TEST(IvfScan, EqualsTheReferenceAtEveryLevelAndThreadCount) {
  const uint32_t seed = 20240551;
  std::mt19937 random(seed);
  const std::vector<int64_t> sizes = {1, 10, 0, 31, 32, 33, 63, 64, 65, 128, 200, 1500};
  const auto n_clusters = static_cast<uint32_t>(sizes.size());
  const char* metrics[] = {"ip", "cosine", "l2"};
  for (int round = 0; round < 60; ++round) {
    const int64_t dim = std::vector<int64_t>{32, 64, 96, 128, 544}[static_cast<size_t>(round % 5)];
    const int64_t batch = std::vector<int64_t>{1, 2, 9, 40}[static_cast<size_t>(round % 4)];
    const int64_t heads = round % 3 == 0 ? 3 : 1;
    Index index(sizes, batch, heads, dim, random);
    const double density = std::vector<double>{0.0, 0.001, 0.1, 0.5, 0.9, 1.0}[static_cast<size_t>(round / 4 % 6)];
    for (int64_t b = 0; b < batch; ++b) {
      const uint32_t kind = random() % 3;  // live itself, an earlier request's mask, its own
      index.mask_of.values[static_cast<size_t>(b)] = static_cast<int32_t>(kind == 0   ? -1
                                                                          : kind == 1 ? random() % (b + 1)
                                                                                      : b);
      index.limits.values[static_cast<size_t>(b)] =
          random() % 4 == 0 ? static_cast<int32_t>(random() % 60) - 1 : 1 << 20;
      for (int64_t row = 0; row < index.ordinals.shape.dim(0); ++row) {
        const bool on = index.ordinals.values[static_cast<size_t>(row)] >= 0 &&
                        std::uniform_real_distribution<double>()(random) < density;
        Index::set(index.mask.values, b * index.ordinals.shape.dim(0) + row, on);
      }
    }
    for (int64_t q = 0; q < batch * heads; ++q) {
      const uint32_t count = random() % (n_clusters + 1);
      index.counts.values[static_cast<size_t>(q)] = static_cast<int32_t>(count);
      for (uint32_t i = 0; i < count; ++i) {  // with repetitions
        index.clusters.values[static_cast<size_t>(q) * n_clusters + i] = static_cast<int32_t>(random() % n_clusters);
      }
    }
    const char* metric = metrics[round % 3];
    const bool biased = round % 2 == 1;
    if (round % 7 == 6) {
      index.row_scales.values[5] = kInf;
      index.bias.values[100] = std::nanf("");
      index.bias.values[101] = -kInf;
    }
    for (int64_t k : {0, 1, 50, 3000}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round << " k " << k);
      const OpResult first = index.run(k, metric, biased);
      expect_equal(first, reference(index, k, metric, biased));
      if (HasFatalFailure()) return;
      for (int32_t threads : {2, 3, 8}) ASSERT_EQ(index.run(k, metric, biased, threads).bytes(), first.bytes());
      for (SimdLevel level : supported_levels()) {
        ASSERT_EQ(index.run(k, metric, biased, 2, level).bytes(), first.bytes());
      }
    }
  }
}

TEST(IvfScan, BatchesEqualSingleQueries) {
  const uint32_t seed = 20240552;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const Index batch({31, 33, 8, 500}, 7, 1, 64, random);
  const std::vector<int32_t> all = batch.run(20).values<int32_t>(1);
  for (int64_t b = 0; b < 7; ++b) {
    Index one = batch;
    one.queries = {
        {1, 1, 64},
        std::vector<int8_t>(batch.queries.values.begin() + b * 64, batch.queries.values.begin() + (b + 1) * 64)};
    one.query_scales = {{1, 1}, {batch.query_scales.values[static_cast<size_t>(b)]}};
    one.clusters.shape = {1, 1, 4};
    one.counts.shape = {1, 1};
    one.mask.shape = {1, one.live.shape.dim(0)};
    one.mask_of.shape = {1};
    one.limits.shape = {1};
    EXPECT_EQ(one.run(20).values<int32_t>(1), std::vector<int32_t>(all.begin() + b * 20, all.begin() + (b + 1) * 20))
        << b;
  }
}

TEST(IvfScan, BadDataIsRefused) {
  std::mt19937 random(2);
  const Index good({70, 70}, 1, 1, 32, random);
  const auto code = [](const Index& index) { return index.run(5).status.code; };
  EXPECT_EQ(code(good), Code::kOk);
  for (int32_t bad : {-1, 2}) {
    Index index = good;
    index.clusters.values[1] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  for (int32_t bad : {-1, 3}) {
    Index index = good;
    index.counts.values[0] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  for (int32_t bad : {-2, 1}) {
    Index index = good;
    index.mask_of.values[0] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  for (int32_t bad : {-64, 1, 65, 320, 1 << 30}) {
    Index index = good;
    index.begin.values[1] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  Index shorter = good;
  shorter.live = {{3}, std::vector<int64_t>(3)};
  shorter.mask = {{1, 3}, std::vector<int64_t>(3)};
  EXPECT_EQ(code(shorter), Code::kShapeMismatch);
}

TEST(IvfScan, Cancellation) {
  std::mt19937 random(3);
  const Index index({1000, 1000}, 2, 1, 32, random);
  const uint32_t cancel = 1;
  const OpResult result = index.run(5, "ip", false, 2, best_simd_level(), &cancel);
  EXPECT_EQ(result.status.code, Code::kAborted);
}

TEST(IvfScan, SymbolicShapes) {
  std::mt19937 random(4);
  Index index({70}, 1, 2, 32, random);
  for (Shape* shape : {&index.queries.shape, &index.query_scales.shape, &index.clusters.shape, &index.counts.shape,
                       &index.mask.shape, &index.mask_of.shape, &index.limits.shape}) {
    shape->dims[0] = -1;
  }
  IvfScan::Params params;
  params.k = -2;
  std::vector<TensorView> inputs = {index.queries.view(),
                                    index.query_scales.view(),
                                    index.rows.view(),
                                    index.row_scales.view(),
                                    {},
                                    index.ordinals.view(),
                                    index.begin.view(),
                                    index.live.view(),
                                    index.clusters.view(),
                                    index.counts.view(),
                                    index.mask.view(),
                                    index.mask_of.view(),
                                    index.limits.view()};
  OutputSpecs specs;
  const Status status = IvfScan::infer(params, {}, inputs, specs);
  ASSERT_TRUE(status.ok()) << status.text;
  EXPECT_EQ(specs.shapes[0], (Shape{-1, 2, -2}));
  EXPECT_EQ(specs.shapes[2], (Shape{-1}));
  inputs[3].shape = {64};
  EXPECT_STREQ(IvfScan::infer(params, {}, inputs, specs).text,
               "ivf_scan: input 'row_scales' must have shape [128], got [64]");
}

}  // namespace
}  // namespace silverlode::cpu
