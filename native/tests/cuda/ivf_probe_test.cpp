#include "ops/ivf_probe.h"

#include "tests/cuda/cuda_harness.h"
#include "tests/filter_views.h"
#include "tests/ivf_probe_fixture.h"

namespace silverlode::cuda {
namespace {

using filter_test::index_views;
using filter_test::view_of;

using filter_test::Answer;
using filter_test::Call;
using filter_test::Problem;
using filter_test::Random;

Attributes attributes_of(const Problem& problem) {
  const char* const metrics[] = {"ip", "cosine", "l2"};
  Attributes attributes;
  attributes.values["metric"] = std::string(metrics[static_cast<int>(problem.metric)]);
  attributes.values["hashes"] = int64_t{problem.catalogue.hashes};
  return attributes;
}

// `call` holds what the views point to.
std::vector<TensorView> inputs_of(const Problem& p, const Call& call) {
  const int64_t batch = p.batch();
  const int64_t clusters = p.n_clusters();
  std::vector<TensorView> inputs = {
      view_of(p.queries, DType::kI8, {batch, p.heads, p.dim}),
      view_of(p.query_scales, DType::kF32, {batch, p.heads}),
      view_of(p.centroids, DType::kI8, {clusters, p.dim}),
      view_of(p.centroid_scales, DType::kF32, {clusters}),
      p.centroid_bias.empty() ? TensorView{} : view_of(p.centroid_bias, DType::kF32, {clusters}),
      view_of(p.cluster_begin, DType::kI32, {clusters + 1}),
      view_of(p.live, DType::kI64, {p.catalogue.words()}),
      view_of(p.probes, DType::kI32, {batch}),
      view_of(p.min_candidates, DType::kI32, {batch}),
      view_of(p.exact, DType::kI32, {batch}),
      view_of(p.plan_index, DType::kI32, {batch}),
      view_of(call.plans.offsets, DType::kI32, {static_cast<int64_t>(call.plans.offsets.size())}),
      view_of(call.plans.steps, DType::kI64, {static_cast<int64_t>(call.plans.steps.size()), 4}),
      view_of(call.exclude_offsets, DType::kI32, {batch}),
      view_of(call.exclude_rows, DType::kI32, {static_cast<int64_t>(call.exclude_rows.size())})};
  for (const TensorView& tensor : index_views(p.catalogue)) inputs.push_back(tensor);
  return inputs;
}

// The valid parts of the outputs; `mask_of` must name rows of the batch.
Answer probe_cuda(const Problem& problem, const DeviceOptions& options = {}) {
  const Call call(problem);
  const OpResult result =
      run_cuda<IvfProbe>(entry<IvfProbe>(), attributes_of(problem), inputs_of(problem, call), options);
  EXPECT_TRUE(result.status.ok()) << result.status.text;
  if (!result.status.ok()) return {};
  Call filled(problem);
  const auto copy = [&](size_t output, void* to) {
    std::memcpy(to, result.outputs[output].data, static_cast<size_t>(result.outputs[output].bytes()));
  };
  copy(0, filled.clusters.data());
  copy(1, filled.counts.data());
  copy(2, filled.mask.data());
  copy(3, filled.mask_of.data());
  copy(4, filled.stats.data());
  return filled.answer();
}

void compare(const Problem& problem, const DeviceOptions& options = {}) {
  const Answer expected = filter_test::probe(problem);
  const Answer answer = probe_cuda(problem, options);
  EXPECT_EQ(answer.clusters, expected.clusters);
  EXPECT_EQ(answer.masks, expected.masks);
  EXPECT_EQ(answer.stats, expected.stats);
}

TEST(CudaIvfProbe, RandomProblems) {
  const uint64_t seed = std::random_device{}();
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round);
    const Problem problem =
        filter_test::random_problem(random, filter_test::pick(random, 1, 8), filter_test::pick(random, 1, 12));
    DeviceOptions options;
    options.compute_capability = round % 4 == 0 ? 75 : 90;
    options.sm_count = static_cast<int32_t>(filter_test::pick(random, 1, 5));
    compare(problem, options);
    if (HasFailure()) return;
  }
}

TEST(CudaIvfProbe, ABatchEqualsSingleRequests) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  const Problem problem = filter_test::random_problem(random, 6, 70);
  const Answer all = probe_cuda(problem);
  EXPECT_EQ(all, filter_test::probe(problem));
  for (int64_t r = 0; r < problem.batch(); r += 7) {
    const Answer one = probe_cuda(problem.single(r));
    EXPECT_EQ(one.clusters[0], all.clusters[static_cast<size_t>(r)]);
    EXPECT_EQ(one.masks[0], all.masks[static_cast<size_t>(r)]);
    EXPECT_EQ(one.stats[0], all.stats[static_cast<size_t>(r)]);
  }
}

// One probe and no end of candidates to find: every evaluation is needed. Also deep plans, and many requests of a group that
// all have excludes.
TEST(CudaIvfProbe, ProbesUntilTheCatalogueIsExhausted) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  Problem problem = filter_test::random_problem(random, 40, 9);
  problem.plans = {filter_test::deepest_plan(), {filter_test::bloom_step(problem.catalogue, 30)}, {}};
  for (size_t r = 0; r < 9; ++r) {
    problem.probes[r] = 1;
    problem.min_candidates[r] = r % 2 == 0 ? 1 << 30 : 500;
    problem.plan_index[r] = static_cast<int32_t>(r % 4) - 1;
    problem.excludes[r] = {static_cast<int32_t>(5 * r), 7, 7, -1, 300};
  }
  compare(problem);
}

TEST(CudaIvfProbe, EveryDimension) {
  Random random(21);
  for (int64_t dim : {96, 128, 256, 384, 1024, 4128}) {
    Problem problem = filter_test::random_problem(random, 2, 3);
    problem.dim = dim;
    const auto draw = [&](int64_t n) {
      std::vector<int8_t> values(static_cast<size_t>(n * dim));
      for (int8_t& value : values) value = static_cast<int8_t>(filter_test::pick(random, -127, 127));
      return values;
    };
    problem.queries = draw(problem.batch() * problem.heads);
    problem.centroids = draw(problem.n_clusters());
    for (int32_t capability : {75, 80}) {
      DeviceOptions options;
      options.compute_capability = capability;
      compare(problem, options);
    }
  }
}

TEST(CudaIvfProbe, AnyOrderOfThreadsGivesTheSame) {
  Random random(24);
  const Problem problem = filter_test::random_problem(random, 6, 8);
  for (uint64_t turn = 0; turn < 30; ++turn) {
    change_order(turn);
    SCOPED_TRACE(turn);
    compare(problem);
  }
  change_order(0);
}

// More clusters than one block sorts.
TEST(CudaIvfProbe, ManyClusters) {
  Random random(22);
  Problem problem = filter_test::random_problem(random, 400, 2);
  problem.cluster_begin = {0};
  for (int32_t row = 64; row <= 400 * 512; row += 64) problem.cluster_begin.push_back(row);
  problem.centroids.clear();
  problem.centroid_scales.assign(static_cast<size_t>(problem.n_clusters()), 0.01f);
  problem.centroid_bias.clear();
  for (int64_t i = 0; i < problem.n_clusters() * problem.dim; ++i) {
    problem.centroids.push_back(static_cast<int8_t>(filter_test::pick(random, -2, 2)));
  }
  problem.min_candidates = {100, 3000};
  problem.probes = {5, 2500};
  compare(problem);
}

TEST(CudaIvfProbe, BadDataIsRefused) {
  Random random(23);
  Problem good = filter_test::random_problem(random, 4, 3);
  good.plans = {{filter_test::bloom_step(good.catalogue, 20)}};
  good.plan_index = {0, -1, 0};
  good.excludes = {{1, 2}, {3}, {}};
  const auto code = [](const Problem& problem, const Call& call) {
    return run_cuda<IvfProbe>(entry<IvfProbe>(), attributes_of(problem), inputs_of(problem, call)).status.code;
  };
  EXPECT_EQ(code(good, Call(good)), Code::kOk);
  for (int32_t bad : {-2, 1}) {
    Problem problem = good;
    problem.plan_index[1] = bad;
    EXPECT_EQ(code(problem, Call(problem)), Code::kInvalidArgument);
  }
  for (int32_t bad : {-64, 1, 1 << 30}) {
    Problem problem = good;
    problem.cluster_begin[1] = bad;
    EXPECT_EQ(code(problem, Call(problem)), Code::kInvalidArgument);
  }
  Problem problem = good;
  problem.excludes[1] = {static_cast<int32_t>(good.catalogue.rows)};
  EXPECT_EQ(code(problem, Call(problem)), Code::kInvalidArgument);
  for (const std::vector<int32_t>& bad : {std::vector<int32_t>{1, 2, 3}, {0, 4, 3}, {0, 2, 4}}) {
    Call call(good);
    call.exclude_offsets = bad;
    EXPECT_EQ(code(good, call), Code::kInvalidArgument);
  }
  for (const filter_test::Plan& plan : filter_test::hostile_plans(good.catalogue)) {
    problem = good;
    problem.plans[0] = plan;
    EXPECT_EQ(code(problem, Call(problem)), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace silverlode::cuda
