#include "ops/update_centroids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/cluster_harness.h"

namespace silverlode {
namespace {

using tests::random_rows;
using tests::Result;
using tests::run_op;
using tests::run_op_everywhere;
using tests::view_of;

Attributes attributes(int64_t clusters) { return {{{"clusters", clusters}}}; }

// The contract, word by word.
void reference(const std::vector<float>& rows, const std::vector<int32_t>& clusters, int64_t dim, int64_t n_clusters,
               std::vector<float>& centroids, std::vector<int32_t>& sizes) {
  std::vector<double> sums(static_cast<size_t>(n_clusters * dim));
  sizes.assign(static_cast<size_t>(n_clusters), 0);
  for (size_t row = 0; row < clusters.size(); ++row) {
    const size_t cluster = static_cast<size_t>(clusters[row]);
    ++sizes[cluster];
    for (size_t d = 0; d < static_cast<size_t>(dim); ++d) {
      sums[cluster * static_cast<size_t>(dim) + d] += static_cast<double>(rows[row * static_cast<size_t>(dim) + d]);
    }
  }
  centroids.assign(sums.size(), 0);
  for (size_t i = 0; i < sums.size(); ++i) {
    const int32_t size = sizes[i / static_cast<size_t>(dim)];
    if (size > 0) centroids[i] = static_cast<float>(sums[i] / size);
  }
  std::vector<int32_t> left = sizes;
  for (size_t empty = 0; empty < left.size(); ++empty) {
    if (sizes[empty] > 0) continue;
    const size_t split = static_cast<size_t>(std::max_element(left.begin(), left.end()) - left.begin());
    for (size_t d = 0; d < static_cast<size_t>(dim); ++d) {
      const float mean = centroids[split * static_cast<size_t>(dim) + d];
      const float up = 1 + 1.0f / 1024, down = 1 - 1.0f / 1024;
      centroids[split * static_cast<size_t>(dim) + d] = mean * (d % 2 == 0 ? up : down);
      centroids[empty * static_cast<size_t>(dim) + d] = mean * (d % 2 == 0 ? down : up);
    }
    left[empty] = left[split] / 2;
    left[split] -= left[empty];
  }
}

TEST(UpdateCentroids, MatchesTheContract) {
  struct Case {
    int64_t rows, dim, clusters, used;  // rows fall into the first `used` clusters, in a scattered order
  };
  uint32_t seed = 300;
  for (const Case& c : std::vector<Case>{{1, 1, 1, 1},
                                         {1, 3, 5, 1},
                                         {7, 2, 7, 7},
                                         {100, 5, 10, 10},
                                         {100, 5, 64, 20},
                                         {1000, 33, 40, 3},
                                         {2000, 16, 300, 290},
                                         {5, 4, 100, 3}}) {
    SCOPED_TRACE(++seed);
    const std::vector<float> rows = random_rows(c.rows, c.dim, seed);
    std::mt19937 random(seed);
    std::vector<int32_t> clusters(static_cast<size_t>(c.rows));
    for (int32_t& cluster : clusters) {
      cluster = static_cast<int32_t>(static_cast<int64_t>(random()) % c.used * 7 % c.clusters);
    }
    const Result result =
        run_op_everywhere<UpdateCentroids>(cpu::entry<UpdateCentroids>(), attributes(c.clusters),
                                           {view_of(rows, {c.rows, c.dim}), view_of(clusters, {c.rows})});
    std::vector<float> centroids;
    std::vector<int32_t> sizes;
    reference(rows, clusters, c.dim, c.clusters, centroids, sizes);
    EXPECT_EQ(result.as<float>(0), centroids);
    EXPECT_EQ(result.as<int32_t>(1), sizes);
  }
}

TEST(UpdateCentroids, ZeroRowsStayZero) {
  const std::vector<float> rows(10 * 3);
  const std::vector<int32_t> clusters(10, 2);
  const Result result = run_op<UpdateCentroids>(cpu::entry<UpdateCentroids>(), attributes(4),
                                                {view_of(rows, {10, 3}), view_of(clusters, {10})});
  EXPECT_EQ(result.as<float>(0), std::vector<float>(12));
  EXPECT_EQ(result.as<int32_t>(1), (std::vector<int32_t>{0, 0, 10, 0}));
}

TEST(UpdateCentroids, RefusesWrongInputs) {
  const std::vector<float> rows = random_rows(3, 2, 1);
  const auto code = [&](std::vector<int32_t> clusters, int64_t count) {
    return run_op<UpdateCentroids>(cpu::entry<UpdateCentroids>(), attributes(count),
                                   {view_of(rows, {3, 2}), view_of(clusters, {static_cast<int64_t>(clusters.size())})})
        .status.code;
  };
  EXPECT_EQ(code({0, 1, 2}, 3), Code::kOk);
  EXPECT_EQ(code({0, 1, 3}, 3), Code::kInvalidArgument);
  EXPECT_EQ(code({-1, 1, 2}, 3), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 1}, 3), Code::kShapeMismatch);
  EXPECT_EQ(code({0, 1, 2}, 0), Code::kInvalidArgument);
  const Result none =
      run_op<UpdateCentroids>(cpu::entry<UpdateCentroids>(), attributes(1),
                              {view_of(std::vector<float>{}, {0, 2}), view_of(std::vector<int32_t>{}, {0})});
  EXPECT_EQ(none.status.code, Code::kInvalidArgument);

  const uint32_t cancel = 1;
  const std::vector<int32_t> clusters = {0, 0, 0};
  EXPECT_EQ(run_op<UpdateCentroids>(cpu::entry<UpdateCentroids>(), attributes(1),
                                    {view_of(rows, {3, 2}), view_of(clusters, {3})}, {.cancel = &cancel})
                .status.code,
            Code::kAborted);
}

}  // namespace
}  // namespace silverlode
