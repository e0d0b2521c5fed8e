#include "ops/ivf_probe.h"

#include "tests/ivf_probe_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

void expect_equal(const Answer& got, const Answer& expected) {
  ASSERT_EQ(got.clusters, expected.clusters);
  ASSERT_EQ(got.stats, expected.stats);
  ASSERT_EQ(got.masks, expected.masks);
}

TEST(IvfProbe, AgreesWithTheScalarReference) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Problem problem = random_problem(random, pick(random, 1, 12), pick(random, 0, 10), pick(random, 2, 40));
    expect_equal(probe(problem), reference(problem));
    if (HasFatalFailure()) return;
  }
}

TEST(IvfProbe, ThreadsLevelsAndBatchDoNotMatter) {
  for (uint64_t seed = 101; seed <= 110; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Problem problem = random_problem(random, 20, 7);
    const Answer expected = probe(problem);
    for (const auto level : levels()) {
      for (const int32_t threads : {1, 2, 3, 8}) ASSERT_TRUE(probe(problem, threads, level) == expected);
    }
    for (int64_t r = 0; r < problem.batch(); ++r) {
      const Answer one = probe(problem.single(r), 3);
      ASSERT_EQ(one.clusters[0], expected.clusters[static_cast<size_t>(r)]);
      ASSERT_EQ(one.masks[0], expected.masks[static_cast<size_t>(r)]);
      ASSERT_EQ(one.stats[0], expected.stats[static_cast<size_t>(r)]);
    }
  }
}

// One request, one head, no excludes, many clusters of 64 rows.
Problem plain_problem(Random& random, int64_t blocks) {
  Problem problem = random_problem(random, blocks, 1);
  problem.heads = 1;
  problem.metric = Metric::kInnerProduct;
  problem.centroid_bias.clear();
  problem.centroids.clear();
  problem.centroid_scales.clear();
  problem.cluster_begin = {0};
  while (problem.cluster_begin.back() < problem.catalogue.rows) {
    problem.cluster_begin.push_back(problem.cluster_begin.back() + 64);
    problem.centroid_scales.push_back(0.01f);
    for (int64_t d = 0; d < problem.dim; ++d) problem.centroids.push_back(static_cast<int8_t>(pick(random, -127, 127)));
  }
  problem.live.assign(problem.live.size(), ~uint64_t{0});
  problem.queries.resize(static_cast<size_t>(problem.dim));
  problem.query_scales = {0.02f};
  problem.plans.clear();
  problem.plan_index = {-1};
  problem.exact = {1};
  problem.excludes = {{}};
  return problem;
}

TEST(IvfProbe, ExtendsUntilEnoughRowsAreEligibleOrTheCatalogueIsExhausted) {
  Random random(21);
  Problem problem = plain_problem(random, 40);
  const int64_t rows = problem.catalogue.rows;
  for (const double selectivity : {0.0, 0.001, 0.5, 1.0}) {
    SCOPED_TRACE(selectivity);
    int64_t matching = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const bool match = chance(random, selectivity);
      problem.catalogue.columns32[static_cast<size_t>(row)] = match ? 7 : 8;
      matching += match;
    }
    problem.plans = {{{FilterOp::kRange32, 0, 7, 7}}};
    problem.plan_index = {0};
    for (const int32_t wanted : {0, 1, 10, 500, 1 << 30}) {
      for (const int32_t probes : {1, 5, 1 << 30}) {
        problem.probes = {probes};
        problem.min_candidates = {wanted};
        for (const int32_t threads : {1, 3}) {
          const Answer answer = probe(problem, threads);
          expect_equal(answer, reference(problem));
          EXPECT_GE(answer.stats[0][1], std::min<int64_t>(wanted, matching));
        }
      }
    }
  }
}

TEST(IvfProbe, WithoutFilterAndExcludesTheMaskIsLive) {
  Random random(22);
  Problem problem = plain_problem(random, 4);
  problem.probes = {3};
  problem.min_candidates = {640};
  Call call(problem);
  ASSERT_TRUE(run_op(cpu::entry<IvfProbe>(), call.args()).ok());
  EXPECT_EQ(call.mask_of[0], -1);
  EXPECT_EQ(call.counts[0], 10);
  EXPECT_TRUE(call.mask.untouched());
  EXPECT_EQ(call.answer().stats[0], (std::vector<int64_t>{10, 640, 0, 0}));
}

TEST(IvfProbe, RequestsWithOnePlanShareAMaskRow) {
  Random random(23);
  Problem problem = plain_problem(random, 4);
  const auto query = problem.queries;
  for (int i = 1; i < 6; ++i) problem.queries.insert(problem.queries.end(), query.begin(), query.end());
  problem.query_scales.assign(6, 0.02f);
  problem.probes = {1, 9, 2, 4, 4, 4};
  problem.min_candidates.assign(6, 100);
  problem.exact = {1, 1, 1, 0, 1, 1};
  problem.plans = {{bloom_step(problem.catalogue, 30)}, {bloom_step(problem.catalogue, 31)}};
  problem.plan_index = {0, 0, 0, 0, 1, 1};
  problem.excludes = {{5, 6, 7}, {}, {}, {}, {1, 2}, {3}};
  Call call(problem);
  ASSERT_TRUE(run_op(cpu::entry<IvfProbe>(), call.args(), 2).ok());
  expect_equal(call.answer(), reference(problem));
  EXPECT_EQ(call.mask_of.copy(), (std::vector<int32_t>{0, 1, 1, 3, 4, 5}));
}

TEST(IvfProbe, NothingIsEligibleWhenEverythingIsExcluded) {
  Random random(24);
  Problem problem = plain_problem(random, 3);
  for (int32_t row = 0; row < problem.catalogue.rows; ++row) problem.excludes[0].push_back(row);
  problem.excludes[0].insert(problem.excludes[0].end(), {-1, INT32_MIN, 3, 3});
  problem.probes = {2};
  problem.min_candidates = {1};
  const Answer answer = probe(problem);
  expect_equal(answer, reference(problem));
  EXPECT_EQ(answer.stats[0], (std::vector<int64_t>{2, 0, 0, 0}));
}

TEST(IvfProbe, OneClusterHoldsTheWholeCatalogue) {
  Random random(25);
  Problem problem = plain_problem(random, 60);
  problem.cluster_begin = {0, static_cast<int32_t>(problem.catalogue.rows)};
  problem.plans = {{bloom_step(problem.catalogue, 30), {FilterOp::kSlice, 1, 0, 0}, {FilterOp::kOr, 0, 0, 0}}};
  problem.plan_index = {0};
  const Answer expected = reference(problem);
  for (const int32_t threads : {1, 2, 8}) expect_equal(probe(problem, threads), expected);
}

TEST(IvfProbe, BadDataIsRefusedBeforeAnythingIsWritten) {
  Random random(26);
  const Problem good = plain_problem(random, 2);
  const auto refused = [](const Problem& problem) {
    Call call(problem);
    return run_op(cpu::entry<IvfProbe>(), call.args()).code == Code::kInvalidArgument && call.untouched();
  };
  EXPECT_FALSE(refused(good));
  for (const Plan& plan : hostile_plans(good.catalogue)) {
    Problem bad = good;  // refused even though no request uses the plan
    bad.plans = {plan};
    EXPECT_TRUE(refused(bad));
  }
  for (const int32_t plan : {-2, 0, 1, INT32_MAX}) {
    Problem bad = good;
    bad.plan_index = {plan};
    EXPECT_TRUE(refused(bad));
  }
  for (const int32_t row : {1024, INT32_MAX}) {
    Problem bad = good;
    bad.excludes = {{5, row}};
    EXPECT_TRUE(refused(bad));
  }
  for (const int32_t begin : {-64, 1, 2000, INT32_MAX}) {
    Problem bad = good;
    bad.cluster_begin[5] = begin;
    EXPECT_TRUE(refused(bad));
  }
  for (const int32_t offset : {-1, 1, INT32_MAX}) {
    Call call(good);
    call.exclude_offsets[0] = offset;
    EXPECT_EQ(run_op(cpu::entry<IvfProbe>(), call.args()).code, Code::kInvalidArgument);
    EXPECT_TRUE(call.untouched());
  }
}

TEST(IvfProbe, CanBeCancelled) {
  Random random(27);
  const Problem problem = plain_problem(random, 2);
  Call call(problem);
  const volatile uint32_t cancel = 1;
  EXPECT_EQ(run_op(cpu::entry<IvfProbe>(), call.args(), 1, cpu::best_simd_level(), &cancel).code, Code::kAborted);
}

std::vector<TensorView> inputs(int64_t batch, int64_t heads, int64_t plans, int64_t excludes) {
  const auto view = [](DType dtype, const Shape& shape) { return TensorView{nullptr, dtype, shape}; };
  const auto next = [](int64_t dim) { return dim < 0 ? dim - 100 : dim + 1; };  // some other symbol
  return {view(DType::kI8, {batch, heads, 64}),
          view(DType::kF32, {batch, heads}),
          view(DType::kI8, {10, 64}),
          view(DType::kF32, {10}),
          TensorView{},
          view(DType::kI32, {11}),
          view(DType::kI64, {16}),
          view(DType::kI32, {batch}),
          view(DType::kI32, {batch}),
          view(DType::kI32, {batch}),
          view(DType::kI32, {batch}),
          view(DType::kI32, {next(plans)}),
          view(DType::kI64, {plans < 0 ? -9 : plans * 3, 4}),
          view(DType::kI32, {batch}),
          view(DType::kI32, {excludes}),
          view(DType::kI64, {0, 0}),
          view(DType::kI64, {0, 0}),
          view(DType::kI64, {0}),
          view(DType::kI32, {0, 0}),
          view(DType::kI64, {0, 0}),
          view(DType::kI32, {0}),
          view(DType::kI32, {0})};
}

TEST(IvfProbe, InferChecksShapesAndAcceptsSymbols) {
  for (const bool symbolic : {false, true}) {
    const int64_t batch = symbolic ? -1 : 5;
    OutputSpecs outputs;
    const auto good = symbolic ? inputs(-1, 2, -2, -3) : inputs(5, 2, 3, 9);
    const Status status = IvfProbe::infer({}, {}, good, outputs);
    ASSERT_TRUE(status.ok()) << status.text;
    ASSERT_EQ(outputs.count, 5);
    EXPECT_TRUE(outputs.shapes[0] == (Shape{batch, 2, 10}));
    EXPECT_TRUE(outputs.shapes[2] == (Shape{batch, 16}));
    EXPECT_TRUE(outputs.shapes[4] == (Shape{batch, 4}));
    for (size_t i = 0; i < good.size(); ++i) {
      auto wrong = good;
      wrong[i].dtype = DType::kF16;
      wrong[i].shape.rank = std::max(wrong[i].shape.rank, 1);
      EXPECT_FALSE(IvfProbe::infer({}, {}, wrong, outputs).ok()) << i;
      wrong = good;
      if (wrong[i].elements() == 0) continue;
      wrong[i].dtype = i == 4 ? DType::kF32 : wrong[i].dtype;
      wrong[i].shape = {4, 4, 4, 4};
      EXPECT_FALSE(IvfProbe::infer({}, {}, wrong, outputs).ok()) << i;
    }
  }
  Attributes attributes;
  IvfProbe::Params params;
  attributes.values["metric"] = std::string("l2");
  attributes.values["hashes"] = int64_t{4};
  ASSERT_TRUE(IvfProbe::parse(attributes, params).ok());
  EXPECT_EQ(params.metric, Metric::kL2);
  EXPECT_EQ(params.hashes, 4);
  attributes.values["hashes"] = int64_t{17};
  EXPECT_FALSE(IvfProbe::parse(attributes, params).ok());
}

}  // namespace
}  // namespace silverlode
