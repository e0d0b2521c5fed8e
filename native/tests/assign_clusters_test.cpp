#include "ops/assign_clusters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/cluster_harness.h"

namespace silverlode {
namespace {

using tests::coarse_rows;
using tests::random_rows;
using tests::Result;
using tests::run_op;
using tests::run_op_everywhere;
using tests::view_of;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  int64_t rows, clusters, dim, nearest;
  bool coarse;
};

void expect_reference(const Case& c, const std::vector<float>& rows, const std::vector<float>& centroids,
                      const Result& result) {
  const std::vector<int32_t> clusters = result.as<int32_t>(0);
  const std::vector<float> scores = result.as<float>(1);
  for (int64_t row = 0; row < c.rows; ++row) {
    std::vector<std::pair<float, int32_t>> order;  // (-score, id)
    for (int64_t k = 0; k < c.clusters; ++k) {
      float dot = 0;
      double norm = 0;
      for (int64_t d = 0; d < c.dim; ++d) {
        const float value = centroids[static_cast<size_t>(k * c.dim + d)];
        dot = std::fma(rows[static_cast<size_t>(row * c.dim + d)], value, dot);
        norm += static_cast<double>(value) * static_cast<double>(value);
      }
      order.emplace_back(-(dot - static_cast<float>(norm / 2)), static_cast<int32_t>(k));
    }
    std::sort(order.begin(), order.end());
    order.resize(static_cast<size_t>(c.nearest), {kInfinity, -1});
    for (int64_t slot = 0; slot < c.nearest; ++slot) {
      const size_t at = static_cast<size_t>(row * c.nearest + slot);
      ASSERT_EQ(clusters[at], order[static_cast<size_t>(slot)].second) << "row " << row << " slot " << slot;
      ASSERT_EQ(scores[at], -order[static_cast<size_t>(slot)].first) << "row " << row << " slot " << slot;
    }
  }
}

TEST(AssignClusters, MatchesTheObviousSearch) {
  uint32_t seed = 100;
  for (const Case& c : std::vector<Case>{{1, 1, 1, 1, false},
                                         {1, 1, 1, 16, false},
                                         {3, 0, 4, 2, false},
                                         {64, 32, 8, 1, false},
                                         {65, 33, 7, 2, true},
                                         {130, 128, 16, 4, true},
                                         {200, 129, 3, 16, true},
                                         {257, 300, 33, 3, false},
                                         {70, 5, 128, 8, false},
                                         {17000, 3, 2, 1, true}}) {
    SCOPED_TRACE(++seed);
    const std::vector<float> rows = c.coarse ? coarse_rows(c.rows, c.dim, seed) : random_rows(c.rows, c.dim, seed);
    const std::vector<float> centroids =
        c.coarse ? coarse_rows(c.clusters, c.dim, seed + 1000) : random_rows(c.clusters, c.dim, seed + 1000);
    const Result result =
        run_op_everywhere<AssignClusters>(cpu::entry<AssignClusters>(), {{{"nearest", c.nearest}}},
                                          {view_of(rows, {c.rows, c.dim}), view_of(centroids, {c.clusters, c.dim})});
    expect_reference(c, rows, centroids, result);
  }
}

TEST(AssignClusters, EqualCentroidsAndZeroRowsTakeTheLowestId) {
  const std::vector<float> rows(10 * 4, 0.0f), centroids(200 * 4, 0.0f);
  const Result result = run_op<AssignClusters>(cpu::entry<AssignClusters>(), {{{"nearest", int64_t{3}}}},
                                               {view_of(rows, {10, 4}), view_of(centroids, {200, 4})});
  const std::vector<int32_t> clusters = result.as<int32_t>(0);
  for (size_t i = 0; i < clusters.size(); ++i) EXPECT_EQ(clusters[i], static_cast<int32_t>(i % 3));
}

TEST(AssignClusters, NoRowsGiveNothing) {
  const Result result = run_op<AssignClusters>(
      cpu::entry<AssignClusters>(), {}, {view_of(std::vector<float>{}, {0, 4}), view_of(random_rows(2, 4, 1), {2, 4})});
  EXPECT_TRUE(result.status.ok());
  EXPECT_TRUE(result.outputs[0].empty());
}

// Values whose products overflow still give every row valid clusters.
TEST(AssignClusters, OverflowKeepsIdsValid) {
  const std::vector<float> rows(3, 3e38f), centroids = {3e38f, -3e38f, 1.0f, 2.0f};
  const Result result = run_op_everywhere<AssignClusters>(cpu::entry<AssignClusters>(), {{{"nearest", int64_t{4}}}},
                                                          {view_of(rows, {3, 1}), view_of(centroids, {4, 1})});
  for (int32_t cluster : result.as<int32_t>(0)) EXPECT_TRUE(cluster >= 0 && cluster < 4) << cluster;
  for (float score : result.as<float>(1)) EXPECT_EQ(score, score);
}

// NaN in the first lanes of a panel must not hide the better scores behind it in the same lane.
TEST(AssignClusters, OverflowHidesNoOtherCentroid) {
  const float huge = 3e38f;
  const std::vector<float> rows = {huge, -1e-30f};
  std::vector<float> centroids(2 * 64);
  for (size_t c = 0; c < 32; ++c) centroids[2 * c + 1] = 2.0f;  // the first panel: score -2
  for (size_t c = 32; c < 40; ++c) centroids[2 * c] = huge;     // Infinity - Infinity; the rest are 0
  const Result result = run_op_everywhere<AssignClusters>(cpu::entry<AssignClusters>(), {},
                                                          {view_of(rows, {1, 2}), view_of(centroids, {64, 2})});
  EXPECT_EQ(result.as<int32_t>(0)[0], 40);
}

TEST(AssignClusters, ReportsProgressAndStopsWhenCancelled) {
  const std::vector<float> rows = random_rows(50000, 2, 5), centroids = random_rows(4, 2, 6);
  const std::vector<TensorView> inputs = {view_of(rows, {50000, 2}), view_of(centroids, {4, 2})};
  std::vector<double> reports;
  tests::Setting setting;
  setting.progress = [](void* user, double done) { static_cast<std::vector<double>*>(user)->push_back(done); };
  setting.progress_user = &reports;
  EXPECT_TRUE(run_op<AssignClusters>(cpu::entry<AssignClusters>(), {}, inputs, setting).status.ok());
  EXPECT_GT(reports.size(), 1u);
  EXPECT_TRUE(std::is_sorted(reports.begin(), reports.end()));
  EXPECT_EQ(reports.back(), 1.0);

  const uint32_t cancel = 1;
  EXPECT_EQ(run_op<AssignClusters>(cpu::entry<AssignClusters>(), {}, inputs, {.cancel = &cancel}).status.code,
            Code::kAborted);
}

TEST(AssignClusters, RefusesWrongInputs) {
  const auto entry = cpu::entry<AssignClusters>();
  const std::vector<float> rows = random_rows(6, 4, 1);
  const std::vector<int32_t> integers(24);
  const auto code = [&](std::vector<TensorView> inputs, int64_t nearest) {
    return run_op<AssignClusters>(entry, {{{"nearest", nearest}}}, inputs).status.code;
  };
  const TensorView matrix = view_of(rows, {6, 4});
  EXPECT_EQ(code({matrix, matrix}, 0), Code::kInvalidArgument);
  EXPECT_EQ(code({matrix, matrix}, 17), Code::kInvalidArgument);
  EXPECT_EQ(code({matrix}, 1), Code::kInvalidArgument);
  EXPECT_EQ(code({matrix, view_of(rows, {8, 3})}, 1), Code::kShapeMismatch);
  EXPECT_EQ(code({view_of(rows, {24}), matrix}, 1), Code::kShapeMismatch);
  EXPECT_EQ(code({matrix, view_of(integers, {6, 4})}, 1), Code::kUnsupportedDtype);
  EXPECT_EQ(code({{nullptr, DType::kF32, {0, 4}}, {nullptr, DType::kF32, {int64_t{1} << 31, 4}}}, 1),
            Code::kLimitExceeded);
}

}  // namespace
}  // namespace silverlode
