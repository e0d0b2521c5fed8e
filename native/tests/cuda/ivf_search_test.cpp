#include "ops/ivf_search.h"

#include "tests/cuda/cuda_harness.h"
#include "tests/ivf_search_fixture.h"

namespace silverlode::cuda {
namespace {

using filter_test::Call;
using filter_test::many_clusters;
using filter_test::pick;
using filter_test::Random;
using filter_test::random_search;
using filter_test::SearchProblem;

OpResult compare(const SearchProblem& problem, const DeviceOptions& options = {}) {
  const Call call(problem.probe);
  return expect_same<IvfSearch>(entry<IvfSearch>(), cpu::entry<IvfSearch>(), problem.attributes(), problem.inputs(call),
                                options);
}

DeviceOptions draw_device(Random& random) {
  DeviceOptions options;
  options.compute_capability = pick(random, 0, 3) == 0 ? 75 : 90;
  options.sm_count = static_cast<int32_t>(pick(random, 1, 5));
  return options;
}

TEST(CudaIvfSearch, RandomProblems) {
  const uint64_t seed = std::random_device{}();
  Random random(seed);
  for (int round = 0; round < 80; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round);
    compare(random_search(random, pick(random, 1, 8), pick(random, 0, 12)), draw_device(random));
    if (HasFailure()) return;
  }
}

// Many rounds, and more clusters than a block has threads.
TEST(CudaIvfSearch, ManyClusters) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  for (int64_t blocks : {20, 60, 300}) compare(many_clusters(random, blocks, 3), draw_device(random));
}

TEST(CudaIvfSearch, ManyQueries) {
  Random random(31);
  SearchProblem problem = random_search(random, 4, 70);
  problem.k = 20;
  compare(problem);
}

TEST(CudaIvfSearch, EveryDimension) {
  Random random(32);
  for (int64_t dim : {96, 256, 384, 4128}) {
    filter_test::Problem probe = filter_test::random_problem(random, 2, 3);
    const int64_t queries = probe.batch() * probe.heads;
    probe.dim = dim;
    const auto draw = [&](int64_t n) {
      std::vector<int8_t> values(static_cast<size_t>(n * dim));
      for (int8_t& value : values) value = static_cast<int8_t>(pick(random, -127, 127));
      return values;
    };
    probe.queries = draw(queries);
    probe.centroids = draw(probe.n_clusters());
    const SearchProblem problem = filter_test::to_search(random, probe);
    for (int32_t capability : {75, 80}) compare(problem, {.compute_capability = capability});
  }
}

// Buffers hold fewer keys than the clusters of a round have rows, which ascend in score or are all equal: bounds do not help.
TEST(CudaIvfSearch, QueriesThatOverflowTheirBuffers) {
  Random random(33);
  filter_test::Problem probe = filter_test::random_problem(random, 60, 2);
  probe.heads = 1;
  probe.queries.resize(static_cast<size_t>(2 * probe.dim));
  probe.query_scales = {0.01f, 0.02f};
  probe.cluster_begin = {0, 64, 12800, 30720};
  probe.centroids.assign(static_cast<size_t>(3 * probe.dim), int8_t{1});
  probe.centroid_scales.assign(3, 0.01f);
  if (!probe.centroid_bias.empty()) probe.centroid_bias.resize(3);
  probe.live.assign(probe.live.size(), ~uint64_t{0});
  probe.plan_index = {-1, -1};
  std::fill(probe.queries.begin(), probe.queries.begin() + probe.dim, int8_t{0});
  SearchProblem problem = filter_test::to_search(random, probe);
  problem.limits = {2500, 30};
  for (const bool ascending : {false, true}) {
    problem.row_bias.clear();
    for (int64_t row = 0; row < problem.n_rows() && ascending; ++row) {
      problem.row_bias.push_back(static_cast<float>(row) - 40000.0f);
    }
    for (int64_t k : {1, 1000, 2500}) {
      for (float allowed : {0.0f, -1.0f}) {
        problem.k = k;
        problem.allowed_misses = {allowed, allowed};
        compare(problem, {.compute_capability = 90, .sm_count = 2, .memory_bytes = 1});
      }
    }
  }
}

TEST(CudaIvfSearch, StatsThatAreNoNumbers) {
  Random random(34);
  const float odd[] = {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0f, 3e38f, -3e38f};
  for (int round = 0; round < 10; ++round) {
    SearchProblem problem = many_clusters(random, 6, 3);
    for (float& value : problem.cluster_stats) {
      if (pick(random, 0, 3) == 0) value = odd[pick(random, 0, 4)];
    }
    compare(problem);
  }
}

TEST(CudaIvfSearch, NoRequestsAndNoHeads) {
  Random random(35);
  compare(random_search(random, 2, 0));
  SearchProblem problem = random_search(random, 2, 2);
  problem.probe.heads = 0;
  problem.probe.queries.clear();
  problem.probe.query_scales.clear();
  problem.query_offsets.clear();
  compare(problem);
}

TEST(CudaIvfSearch, AnyOrderOfThreadsGivesTheSame) {
  Random random(36);
  const SearchProblem problem = many_clusters(random, 2, 4);
  for (uint64_t turn = 0; turn < 20; ++turn) {
    change_order(turn);
    SCOPED_TRACE(turn);
    compare(problem);
  }
  change_order(0);
}

TEST(CudaIvfSearch, BadDataIsRefused) {
  Random random(37);
  SearchProblem good = random_search(random, 4, 3);
  good.probe.plans = {{filter_test::bloom_step(good.probe.catalogue, 20)}};
  good.probe.plan_index = {0, -1, 0};
  good.probe.excludes = {{1, 2}, {3}, {}};
  const auto code = [](const SearchProblem& problem) { return compare(problem).status.code; };
  EXPECT_EQ(code(good), Code::kOk);
  for (int32_t bad : {-1, (1 << 20) + 1}) {
    SearchProblem problem = good;
    problem.tail[255] = bad;
    EXPECT_EQ(code(problem), Code::kInvalidArgument);
  }
  for (int32_t bad : {-64, 1, 1 << 30}) {
    SearchProblem problem = good;
    problem.probe.cluster_begin[1] = bad;
    EXPECT_EQ(code(problem), Code::kInvalidArgument);
  }
  SearchProblem problem = good;
  problem.probe.plan_index[1] = 1;
  EXPECT_EQ(code(problem), Code::kInvalidArgument);
  problem = good;
  problem.probe.excludes[1] = {static_cast<int32_t>(good.probe.catalogue.rows)};
  EXPECT_EQ(code(problem), Code::kInvalidArgument);
  for (const filter_test::Plan& plan : filter_test::hostile_plans(good.probe.catalogue)) {
    problem = good;
    problem.probe.plans[0] = plan;
    EXPECT_EQ(code(problem), Code::kInvalidArgument);
  }
  problem = good;  // masks are for more rows than there are
  problem.probe.cluster_begin.back() = 2048;
  problem.rows.resize(static_cast<size_t>(1984 * problem.probe.dim));
  problem.row_scales.resize(1984);
  problem.ordinals.resize(1984);
  if (!problem.row_bias.empty()) problem.row_bias.resize(1984);
  EXPECT_EQ(code(problem), Code::kInvalidArgument);
}

TEST(CudaIvfSearch, CanBeCancelled) {
  Random random(38);
  const SearchProblem problem = random_search(random, 2, 2);
  const Call call(problem.probe);
  const volatile uint32_t cancel = 1;
  const DeviceOptions options = {.cancel = &cancel};
  EXPECT_EQ(run_cuda<IvfSearch>(entry<IvfSearch>(), problem.attributes(), problem.inputs(call), options).status.code,
            Code::kAborted);
}

}  // namespace
}  // namespace silverlode::cuda
