#include "ops/balance_clusters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>

#include "tests/cluster_harness.h"

namespace silverlode {
namespace {

using tests::Result;
using tests::run_op;
using tests::run_op_everywhere;
using tests::view_of;

Attributes attributes(int64_t clusters, int64_t cap) { return {{{"clusters", clusters}, {"cap", cap}}}; }

struct Problem {
  int64_t rows, choices, clusters, cap;
  std::vector<int32_t> nearest;
  std::vector<float> scores;

  int32_t choice(int64_t row, int64_t j) const {
    return j < choices ? nearest[static_cast<size_t>(row * choices + j)] : -1;
  }
  float loss(int64_t row, int64_t j) const {
    if (choice(row, j + 1) < 0) return std::numeric_limits<float>::infinity();
    const size_t at = static_cast<size_t>(row * choices + j);
    return scores[at] - scores[at + 1];
  }
};

// Distinct choices per row, scores descending and coarse, some rows with fewer choices.
Problem random_problem(int64_t rows, int64_t choices, int64_t clusters, int64_t cap, uint32_t seed) {
  std::mt19937 random(seed);
  Problem problem = {rows, choices, clusters, cap, {}, {}};
  std::vector<int32_t> ids(static_cast<size_t>(clusters));
  std::iota(ids.begin(), ids.end(), 0);
  for (int64_t row = 0; row < rows; ++row) {
    std::shuffle(ids.begin(), ids.end(), random);
    std::sort(ids.begin(), ids.begin() + static_cast<int64_t>(random() % ids.size()));  // low clusters are popular
    const int64_t named =
        random() % 10 == 0 ? static_cast<int64_t>(random() % static_cast<uint64_t>(choices + 1)) : choices;
    float score = 5;
    for (int64_t j = 0; j < choices; ++j) {
      const bool given = j < named && j < clusters;
      score -= static_cast<float>(random() % 4);
      problem.nearest.push_back(given ? ids[static_cast<size_t>(j)] : -1);
      problem.scores.push_back(given ? score : -std::numeric_limits<float>::infinity());
    }
  }
  return problem;
}

// In rounds: every row without a place asks its next choice; each cluster keeps the `cap` best of all that ask and
// have.
std::vector<int32_t> reference(const Problem& problem) {
  std::vector<int64_t> next(static_cast<size_t>(problem.rows), 0);
  using Member = std::tuple<float, int64_t, int64_t>;  // (-loss, row, choice)
  std::vector<std::vector<Member>> members(static_cast<size_t>(problem.clusters));
  std::vector<int32_t> placed(static_cast<size_t>(problem.rows), -1);
  for (bool moved = true; moved;) {
    moved = false;
    for (int64_t row = 0; row < problem.rows; ++row) {
      int64_t& j = next[static_cast<size_t>(row)];
      if (placed[static_cast<size_t>(row)] >= 0 || problem.choice(row, j) < 0) continue;
      members[static_cast<size_t>(problem.choice(row, j))].emplace_back(-problem.loss(row, j), row, j);
      ++j;
      moved = true;
    }
    std::fill(placed.begin(), placed.end(), -1);
    for (size_t c = 0; c < members.size(); ++c) {
      std::sort(members[c].begin(), members[c].end());
      members[c].resize(std::min(members[c].size(), static_cast<size_t>(problem.cap)));
      for (const Member& member : members[c])
        placed[static_cast<size_t>(std::get<1>(member))] = static_cast<int32_t>(c);
    }
  }
  std::vector<int64_t> loads;
  for (const auto& list : members) loads.push_back(static_cast<int64_t>(list.size()));
  for (int32_t& cluster : placed) {
    if (cluster >= 0) continue;
    cluster = static_cast<int32_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    ++loads[static_cast<size_t>(cluster)];
  }
  return placed;
}

std::vector<TensorView> views(const Problem& problem) {
  return {view_of(problem.nearest, {problem.rows, problem.choices}),
          view_of(problem.scores, {problem.rows, problem.choices})};
}

TEST(BalanceClusters, MatchesTheMatchingInRounds) {
  uint32_t seed = 400;
  for (int round = 0; round < 150; ++round) {
    std::mt19937 random(++seed);
    const int64_t clusters = 1 + static_cast<int64_t>(random() % 20), rows = static_cast<int64_t>(random() % 300);
    const int64_t choices = 1 + static_cast<int64_t>(random() % 6);
    const int64_t least = std::max<int64_t>(1, (rows + clusters - 1) / clusters);
    const int64_t cap = random() % 3 == 0 ? least : least + static_cast<int64_t>(random() % 30);
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Problem problem = random_problem(rows, choices, clusters, cap, seed);
    const Result result =
        run_op<BalanceClusters>(cpu::entry<BalanceClusters>(), attributes(clusters, cap), views(problem));
    ASSERT_TRUE(result.status.ok()) << result.status.text;
    const std::vector<int32_t> placed = result.as<int32_t>(0);
    ASSERT_EQ(placed, reference(problem));
    for (int32_t c = 0; c < clusters; ++c) ASSERT_LE(std::count(placed.begin(), placed.end(), c), cap);
  }
}

TEST(BalanceClusters, EqualAtEveryThreadCount) {
  const Problem problem = random_problem(5000, 4, 50, 110, 77);
  run_op_everywhere<BalanceClusters>(cpu::entry<BalanceClusters>(), attributes(50, 110), views(problem));
}

TEST(BalanceClusters, EqualRowsFillClustersInOrder) {
  Problem problem = {6, 2, 3, 2, {}, {}};
  for (int row = 0; row < 6; ++row) {
    problem.nearest.insert(problem.nearest.end(), {1, 2});
    problem.scores.insert(problem.scores.end(), {1.0f, 1.0f});
  }
  const Result result = run_op<BalanceClusters>(cpu::entry<BalanceClusters>(), attributes(3, 2), views(problem));
  EXPECT_EQ(result.as<int32_t>(0), (std::vector<int32_t>{1, 1, 2, 2, 0, 0}));
}

TEST(BalanceClusters, AWideCapKeepsTheNearest) {
  const Problem problem = random_problem(400, 3, 7, int64_t{1} << 62, 78);
  const Result result =
      run_op<BalanceClusters>(cpu::entry<BalanceClusters>(), attributes(7, int64_t{1} << 62), views(problem));
  const std::vector<int32_t> placed = result.as<int32_t>(0);
  for (int64_t row = 0; row < 400; ++row) {
    if (problem.choice(row, 0) >= 0) {
      EXPECT_EQ(placed[static_cast<size_t>(row)], problem.choice(row, 0));
    }
  }
}

TEST(BalanceClusters, RefusesWrongInputs) {
  const std::vector<int32_t> nearest = {0, 1, 1, 0, 0, 1};
  const std::vector<float> scores(6);
  const auto code = [&](const Attributes& given, const std::vector<int32_t>& ids, const Shape& shape) {
    return run_op<BalanceClusters>(cpu::entry<BalanceClusters>(), given, {view_of(ids, shape), view_of(scores, {3, 2})})
        .status.code;
  };
  EXPECT_EQ(code(attributes(2, 2), nearest, {3, 2}), Code::kOk);
  EXPECT_EQ(code(attributes(2, 1), nearest, {3, 2}), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(2, 0), nearest, {3, 2}), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(1, 9), nearest, {3, 2}), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(2, 2), {0, 1, 1, -2, 0, 1}, {3, 2}), Code::kInvalidArgument);
  EXPECT_EQ(code(attributes(2, 2), nearest, {2, 3}), Code::kShapeMismatch);
  EXPECT_EQ(code({}, nearest, {3, 2}), Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode
