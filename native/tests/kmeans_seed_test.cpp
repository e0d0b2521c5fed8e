#include "ops/kmeans_seed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/cluster_harness.h"

namespace silverlode {
namespace {

using tests::coarse_rows;
using tests::random_rows;
using tests::Result;
using tests::run_op;
using tests::run_op_everywhere;
using tests::view_of;

Attributes attributes(int64_t clusters, int64_t seed) { return {{{"clusters", clusters}, {"seed", seed}}}; }

std::vector<int32_t> chosen(const std::vector<float>& rows, int64_t n, int64_t dim, int64_t clusters, int64_t seed) {
  const Result result =
      run_op<KmeansSeed>(cpu::entry<KmeansSeed>(), attributes(clusters, seed), {view_of(rows, {n, dim})});
  EXPECT_TRUE(result.status.ok()) << result.status.text;
  return result.as<int32_t>(0);
}

std::set<std::vector<float>> distinct(const std::vector<float>& rows, int64_t dim, const std::vector<int32_t>& picked) {
  std::set<std::vector<float>> values;
  for (int32_t row : picked) {
    const auto begin = rows.begin() + row * dim;
    values.emplace(begin, begin + dim);
  }
  return values;
}

TEST(KmeansSeed, ChoosesDistinctRowsTheSameEverywhere) {
  struct Case {
    int64_t rows, dim, clusters;
  };
  for (const Case& c : std::vector<Case>{
           {1, 1, 1}, {2, 1, 2}, {33, 5, 33}, {100, 1, 40}, {1024, 8, 32}, {1025, 16, 33}, {3000, 17, 200}}) {
    SCOPED_TRACE(c.rows);
    const std::vector<float> rows = random_rows(c.rows, c.dim, static_cast<uint32_t>(c.rows));
    const Result result = run_op_everywhere<KmeansSeed>(cpu::entry<KmeansSeed>(), attributes(c.clusters, 7),
                                                        {view_of(rows, {c.rows, c.dim})});
    const std::vector<int32_t> picked = result.as<int32_t>(0);
    EXPECT_EQ(static_cast<int64_t>(std::set<int32_t>(picked.begin(), picked.end()).size()), c.clusters);
    for (int32_t row : picked) EXPECT_TRUE(row >= 0 && row < c.rows);
  }
}

TEST(KmeansSeed, SeedsDiffer) {
  const std::vector<float> rows = random_rows(1000, 4, 3);
  EXPECT_EQ(chosen(rows, 1000, 4, 10, 1), chosen(rows, 1000, 4, 10, 1));
  EXPECT_NE(chosen(rows, 1000, 4, 10, 1), chosen(rows, 1000, 4, 10, 2));
  EXPECT_NE(chosen(rows, 1000, 4, 10, -1), chosen(rows, 1000, 4, 10, 1));
}

// Every distinct value is taken once before any copy, and copies then come in ascending order of rows.
TEST(KmeansSeed, CopiesComeLast) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<float> rows = coarse_rows(500, 3, seed);
    std::vector<int32_t> all(500);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    const size_t values = distinct(rows, 3, all).size();  // up to 27
    const std::vector<int32_t> picked = chosen(rows, 500, 3, 60, seed);
    const std::vector<int32_t> head(picked.begin(), picked.begin() + static_cast<int64_t>(values));
    EXPECT_EQ(distinct(rows, 3, head).size(), values);

    std::vector<int32_t> unused;
    for (int32_t row : all) {
      if (std::find(head.begin(), head.end(), row) == head.end()) unused.push_back(row);
    }
    unused.resize(60 - values);
    EXPECT_EQ(std::vector<int32_t>(picked.begin() + static_cast<int64_t>(values), picked.end()), unused);
  }
}

TEST(KmeansSeed, EqualAndZeroRows) {
  for (float value : {0.0f, 0.1f}) {
    const std::vector<float> rows(100 * 7, value);
    const std::vector<int32_t> picked = chosen(rows, 100, 7, 100, 9);
    std::vector<int32_t> expected;  // the first draw, then the lowest unused rows
    for (int32_t row = 0; row < 100; ++row) {
      if (row != picked[0]) expected.push_back(row);
    }
    EXPECT_EQ(std::vector<int32_t>(picked.begin() + 1, picked.end()), expected);
  }
}

// Three places on a line, at 0, 1 and 3, with 2, 3 and 1 rows: the chance of every sequence of places is known. Groups
// must not change it, though here most proposals of a group are refused.
TEST(KmeansSeed, HasTheDistributionOfKmeansPlusPlus) {
  const std::vector<float> rows = {0, 0, 1, 1, 1, 3};
  const double places[] = {0, 1, 3}, counts[] = {2, 3, 1};
  std::map<std::pair<int, int>, double> expected, seen;
  for (int first = 0; first < 3; ++first) {
    double total = 0;
    for (int second = 0; second < 3; ++second) total += counts[second] * std::pow(places[second] - places[first], 2);
    for (int second = 0; second < 3; ++second) {
      expected[{first, second}] =
          counts[first] / 6 * counts[second] * std::pow(places[second] - places[first], 2) / total;
    }
  }
  constexpr int kRuns = 4000;
  const auto place = [&](int32_t row) {
    return rows[static_cast<size_t>(row)] == 3 ? 2 : static_cast<int>(rows[static_cast<size_t>(row)]);
  };
  for (int run = 0; run < kRuns; ++run) {
    const std::vector<int32_t> picked = chosen(rows, 6, 1, 3, run);
    EXPECT_EQ(distinct(rows, 1, picked).size(), 3u);
    seen[{place(picked[0]), place(picked[1])}] += 1.0 / kRuns;
  }
  for (const auto& [pair, chance] : expected) EXPECT_NEAR(seen[pair], chance, 0.03) << pair.first << " " << pair.second;
}

// The third of a group on a line of five places: the chance of every (second, third) given the first, by enumeration.
TEST(KmeansSeed, LaterDrawsOfAGroupAreExact) {
  const std::vector<float> rows = {0, 1, 2, 5, 9};
  std::map<std::vector<int>, double> expected, seen;
  const auto square = [&](int a, int b) {
    return std::pow(static_cast<double>(rows[static_cast<size_t>(a)] - rows[static_cast<size_t>(b)]), 2);
  };
  for (int a = 0; a < 5; ++a) {
    double total_b = 0;
    for (int b = 0; b < 5; ++b) total_b += square(a, b);
    for (int b = 0; b < 5; ++b) {
      double total_c = 0;
      for (int c = 0; c < 5; ++c) total_c += std::min(square(a, c), square(b, c));
      for (int c = 0; c < 5; ++c) {
        const double chance = 0.2 * square(a, b) / total_b * std::min(square(a, c), square(b, c)) / total_c;
        if (a != b) expected[{c}] += chance;
      }
    }
  }
  constexpr int kRuns = 6000;
  for (int run = 0; run < kRuns; ++run) seen[{chosen(rows, 5, 1, 3, run)[2]}] += 1.0 / kRuns;
  for (const auto& [third, chance] : expected) EXPECT_NEAR(seen[third], chance, 0.03) << third[0];
}

TEST(KmeansSeed, FindsSeparatedClusters) {
  constexpr int64_t kClusters = 50, kPerCluster = 40, kDim = 8;
  const std::vector<float> centers = random_rows(kClusters, kDim, 21);
  std::vector<float> rows = random_rows(kClusters * kPerCluster, kDim, 22);
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t row = i / kDim;
    rows[i] = rows[i] * 0.001f + 10 * centers[row % kClusters * kDim + i % kDim];
  }
  const std::vector<int32_t> picked = chosen(rows, kClusters * kPerCluster, kDim, kClusters, 23);
  std::set<int64_t> clusters;
  for (int32_t row : picked) clusters.insert(row % kClusters);
  EXPECT_EQ(clusters.size(), static_cast<size_t>(kClusters));
}

TEST(KmeansSeed, OverflowStaysInBounds) {
  std::vector<float> rows = random_rows(200, 3, 4);
  for (float& value : rows) value *= 1e20f;
  for (int32_t row : chosen(rows, 200, 3, 100, 5)) EXPECT_TRUE(row >= 0 && row < 200);
}

TEST(KmeansSeed, ReportsProgressAndStopsWhenCancelled) {
  const std::vector<float> rows = random_rows(2000, 4, 5);
  std::vector<double> reports;
  tests::Setting setting;
  setting.progress = [](void* user, double done) { static_cast<std::vector<double>*>(user)->push_back(done); };
  setting.progress_user = &reports;
  const std::vector<TensorView> inputs = {view_of(rows, {2000, 4})};
  EXPECT_TRUE(run_op<KmeansSeed>(cpu::entry<KmeansSeed>(), attributes(100, 1), inputs, setting).status.ok());
  EXPECT_GT(reports.size(), 2u);
  EXPECT_TRUE(std::is_sorted(reports.begin(), reports.end()));
  EXPECT_EQ(reports.back(), 1.0);

  const uint32_t cancel = 1;
  const Result stopped = run_op<KmeansSeed>(cpu::entry<KmeansSeed>(), attributes(100, 1), inputs, {.cancel = &cancel});
  EXPECT_EQ(stopped.status.code, Code::kAborted);
}

TEST(KmeansSeed, RefusesWrongInputs) {
  const std::vector<float> rows = random_rows(6, 2, 1);
  const auto code = [&](const Attributes& given, const TensorView& view) {
    return run_op<KmeansSeed>(cpu::entry<KmeansSeed>(), given, {view}).status.code;
  };
  EXPECT_EQ(code(attributes(7, 0), view_of(rows, {6, 2})), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(0, 0), view_of(rows, {6, 2})), Code::kInvalidArgument);
  EXPECT_EQ(code({}, view_of(rows, {6, 2})), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(1, 0), view_of(rows, {12})), Code::kShapeMismatch);
  EXPECT_EQ(code(attributes(1, 0), {nullptr, DType::kF32, {int64_t{1} << 31, 2}}), Code::kLimitExceeded);
}

}  // namespace
}  // namespace silverlode
