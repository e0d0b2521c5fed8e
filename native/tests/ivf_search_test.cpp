#include "ops/ivf_search.h"

#include "ops/ivf_probe.h"
#include "ops/ivf_scan.h"
#include "ops/recall_estimate.h"
#include "tests/ivf_search_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

TEST(IvfSearch, AgreesWithTheScalarReference) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const SearchProblem problem = random_search(random, pick(random, 1, 12), pick(random, 0, 8));
    expect_equal(answer_of(search(problem)), reference(problem));
    if (HasFatalFailure()) return;
  }
  for (uint64_t seed = 61; seed <= 75; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const SearchProblem problem = many_clusters(random, pick(random, 4, 20), 4);
    expect_equal(answer_of(search(problem)), reference(problem));
    if (HasFatalFailure()) return;
  }
}

TEST(IvfSearch, ThreadsLevelsAndBatchDoNotMatter) {
  for (uint64_t seed = 101; seed <= 106; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const SearchProblem problem = many_clusters(random, 12, 7);
    const std::vector<uint8_t> expected = search(problem).bytes();
    for (const auto level : levels()) {
      for (const int32_t threads : {1, 2, 3, 8}) ASSERT_EQ(search(problem, threads, level).bytes(), expected);
    }
    const cpu::OpResult all = search(problem);
    for (int64_t r = 0; r < problem.probe.batch(); ++r) {
      const cpu::OpResult one = search(problem.single(r), 3);
      for (size_t output = 0; output < one.outputs.size(); ++output) {
        const auto bytes = static_cast<size_t>(one.outputs[output].bytes());
        const auto* part = all.outputs[output].as<const uint8_t>() + static_cast<size_t>(r) * bytes;
        ASSERT_EQ(std::memcmp(part, one.outputs[output].data, bytes), 0) << "request " << r << " output " << output;
      }
    }
  }
}

// Clusters rank by their centroids' scores alone, and every request has given probes.
SearchProblem with_given_probes(Random& random) {
  Problem probe = random_problem(random, 8, 6);
  probe.metric = Metric::kInnerProduct;
  SearchProblem problem = to_search(random, probe);
  const auto n = static_cast<size_t>(probe.n_clusters());
  for (size_t i = 0; i < 4 * n; ++i) problem.cluster_stats[i] = i < n ? 1.0f : 0.0f;
  problem.allowed_misses.assign(problem.allowed_misses.size(), -1.0f);
  problem.query_offsets.clear();
  return problem;
}

TEST(IvfSearch, GivenProbesGiveWhatProbeAndScanGive) {
  for (uint64_t seed = 201; seed <= 230; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const SearchProblem problem = with_given_probes(random);
    const Problem& p = problem.probe;
    const int64_t batch = p.batch();
    Call call(p);
    ASSERT_TRUE(filter_test::run_op(cpu::entry<IvfProbe>(), call.args()).ok());
    const std::vector<uint64_t> mask = call.mask.copy();
    const std::vector<int32_t> clusters = call.clusters.copy(), counts = call.counts.copy(),
                               mask_of = call.mask_of.copy();
    const std::vector<TensorView> inputs = {
        view_of(p.queries, DType::kI8, {batch, p.heads, p.dim}),
        view_of(p.query_scales, DType::kF32, {batch, p.heads}),
        view_of(problem.rows, DType::kI8, {problem.n_rows(), p.dim}),
        view_of(problem.row_scales, DType::kF32, {problem.n_rows()}),
        problem.row_bias.empty() ? TensorView{} : view_of(problem.row_bias, DType::kF32, {problem.n_rows()}),
        view_of(problem.ordinals, DType::kI32, {problem.n_rows()}),
        view_of(p.cluster_begin, DType::kI32, {p.n_clusters() + 1}),
        view_of(p.live, DType::kI64, {p.catalogue.words()}),
        view_of(clusters, DType::kI32, {batch, p.heads, p.n_clusters()}),
        view_of(counts, DType::kI32, {batch, p.heads}),
        view_of(mask, DType::kI64, {batch, p.catalogue.words()}),
        view_of(mask_of, DType::kI32, {batch}),
        view_of(problem.limits, DType::kI32, {batch})};
    const cpu::OpResult scanned = cpu::run_op<IvfScan>(cpu::entry<IvfScan>(), problem.attributes(), inputs);
    ASSERT_TRUE(scanned.status.ok()) << scanned.status.text;
    const SearchAnswer answer = answer_of(search(problem));
    ASSERT_EQ(answer.scores, scanned.values<float>(0));
    ASSERT_EQ(answer.ordinals, scanned.values<int32_t>(1));
    ASSERT_EQ(answer.counts, counts);
    for (int64_t r = 0; r < batch; ++r) {
      for (int64_t i = 0; i < 4; ++i) ASSERT_EQ(answer.stats[static_cast<size_t>(5 * r + i)], call.stats[4 * r + i]);
      ASSERT_EQ(answer.stats[static_cast<size_t>(5 * r + 4)], scanned.values<int64_t>(2)[static_cast<size_t>(r)]);
    }
  }
}

// Every row is as likely as not to be in the list, so nothing but the end of the catalogue ends a search.
TEST(IvfSearch, AllIsScannedWhereNothingMayBeMissed) {
  for (uint64_t seed = 301; seed <= 310; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SearchProblem problem = many_clusters(random, 10, 4);
    const auto n = static_cast<size_t>(problem.probe.n_clusters());
    std::fill(problem.cluster_stats.begin() + static_cast<int64_t>(4 * n), problem.cluster_stats.end(), 64.0f);
    problem.tail.assign(256, static_cast<int32_t>(kTailUnit));
    problem.limits.assign(4, 30);
    problem.allowed_misses.assign(4, 0.0f);
    const SearchAnswer answer = answer_of(search(problem));
    EXPECT_EQ(answer.misses, std::vector<float>(4, 0.0f));
    for (size_t r = 0; r < 4; ++r) {
      const std::vector<uint64_t> eligible = eligibility(problem.probe, static_cast<int64_t>(r)).eligible;
      int32_t filled = 0;
      for (size_t c = 0; c < n; ++c) filled += count_in(problem.probe, eligible, static_cast<int32_t>(c)) > 0;
      const auto heads = static_cast<size_t>(problem.probe.heads);
      for (size_t h = 0; h < heads; ++h) EXPECT_EQ(answer.counts[r * heads + h], filled);
    }
    problem.allowed_misses.assign(4, -1.0f);
    problem.probe.probes.assign(4, 0);
    const SearchAnswer everything = answer_of(search(problem));
    EXPECT_EQ(answer.scores, everything.scores);
    EXPECT_EQ(answer.ordinals, everything.ordinals);
    EXPECT_EQ(answer.stats, everything.stats);
  }
}

TEST(IvfSearch, StopsAfterTheRoundThatIsEnough) {
  Random random(41);
  SearchProblem problem = many_clusters(random, 20, 1);
  Problem& p = problem.probe;
  p.live.assign(p.live.size(), ~uint64_t{0});
  p.plans.clear();
  p.plan_index = {-1};
  p.excludes = {{}};
  p.min_candidates = {0};
  problem.limits = {5};
  problem.k = 5;
  problem.first_round = 4;
  problem.allowed_misses = {1e9f};
  const auto heads = static_cast<size_t>(p.heads);
  EXPECT_EQ(answer_of(search(problem)).counts, std::vector<int32_t>(heads, 4));
  p.min_candidates = {6 * 64};  // 4, 5, then 6 clusters
  EXPECT_EQ(answer_of(search(problem)).counts, std::vector<int32_t>(heads, 6));
  problem.limits = {0};
  EXPECT_EQ(answer_of(search(problem)).counts, std::vector<int32_t>(heads, 4));
  problem.tail.assign(256, 0);  // nothing is expected anywhere
  problem.limits = {5};
  problem.allowed_misses = {0.0f};
  EXPECT_EQ(answer_of(search(problem)).misses, std::vector<float>{0.0f});
  p.min_candidates = {0};
  EXPECT_EQ(answer_of(search(problem)).counts, std::vector<int32_t>(heads, 4));
}

TEST(IvfSearch, StatsThatAreNoNumbersAreNoHarm) {
  Random random(42);
  SearchProblem problem = many_clusters(random, 6, 3);
  const float odd[] = {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0f, 3e38f, -3e38f};
  for (float& value : problem.cluster_stats) {
    if (chance(random, 0.3)) value = odd[pick(random, 0, 4)];
  }
  const std::vector<uint8_t> expected = search(problem).bytes();
  EXPECT_TRUE(search(problem).status.ok());
  for (const auto level : levels()) EXPECT_EQ(search(problem, 3, level).bytes(), expected);
}

TEST(IvfSearch, NoRequestsAndNoHeads) {
  Random random(43);
  SearchProblem problem = random_search(random, 2, 2);
  problem.probe.heads = 0;
  problem.probe.queries.clear();
  problem.probe.query_scales.clear();
  problem.query_offsets.clear();
  const SearchAnswer answer = answer_of(search(problem));
  EXPECT_EQ(answer.misses, (std::vector<float>{0.0f, 0.0f}));
  EXPECT_EQ(answer.stats, std::vector<int64_t>(10, 0));
  EXPECT_TRUE(search(random_search(random, 2, 0)).status.ok());
}

bool is_untouched(const cpu::OpResult& result) {
  const std::vector<uint8_t> bytes = result.bytes();
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0xa5; });
}

TEST(IvfSearch, BadDataIsRefusedBeforeAnythingIsWritten) {
  Random random(44);
  SearchProblem good = random_search(random, 4, 3);
  good.probe.plans = {{bloom_step(good.probe.catalogue, 20)}};
  good.probe.plan_index = {0, -1, 0};
  good.probe.excludes = {{1, 2}, {3}, {}};
  const auto refused = [](const SearchProblem& problem) {
    const cpu::OpResult result = search(problem);
    return result.status.code == Code::kInvalidArgument && is_untouched(result);
  };
  EXPECT_FALSE(refused(good));
  for (const int32_t bad : {-1, (1 << 20) + 1, INT32_MIN, INT32_MAX}) {
    for (const size_t entry : {size_t{0}, size_t{255}}) {
      SearchProblem problem = good;
      problem.tail[entry] = bad;
      EXPECT_TRUE(refused(problem));
    }
  }
  for (const int32_t bad : {-2, 1, INT32_MAX}) {
    SearchProblem problem = good;
    problem.probe.plan_index[1] = bad;
    EXPECT_TRUE(refused(problem));
  }
  for (const int32_t bad : {-64, 1, 1 << 30}) {
    SearchProblem problem = good;
    problem.probe.cluster_begin[1] = bad;
    EXPECT_TRUE(refused(problem));
  }
  for (const int32_t bad : {2048, INT32_MAX}) {
    SearchProblem problem = good;
    problem.probe.excludes[1] = {bad};
    EXPECT_TRUE(refused(problem));
  }
  for (const Plan& plan : hostile_plans(good.probe.catalogue)) {
    SearchProblem problem = good;
    problem.probe.plans[0] = plan;
    EXPECT_TRUE(refused(problem));
  }
  SearchProblem few_rows = good;  // masks are for more rows than there are
  few_rows.probe.cluster_begin.back() = 2048;
  EXPECT_FALSE(refused(few_rows));
  few_rows.rows.resize(static_cast<size_t>(1984 * few_rows.probe.dim));
  few_rows.row_scales.resize(1984);
  few_rows.ordinals.resize(1984);
  if (!few_rows.row_bias.empty()) few_rows.row_bias.resize(1984);
  EXPECT_TRUE(refused(few_rows));
  for (const std::vector<int32_t>& bad : {std::vector<int32_t>{1, 2, 3}, {0, 4, 3}, {0, 2, 4}}) {
    Call call(good.probe);
    call.exclude_offsets = bad;
    const cpu::OpResult result = cpu::run_op<IvfSearch>(cpu::entry<IvfSearch>(), good.attributes(), good.inputs(call));
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_TRUE(is_untouched(result));
  }
}

TEST(IvfSearch, CanBeCancelled) {
  Random random(45);
  const volatile uint32_t cancel = 1;
  const cpu::OpResult result = search(random_search(random, 2, 3), 2, cpu::best_simd_level(), &cancel);
  EXPECT_EQ(result.status.code, Code::kAborted);
  EXPECT_TRUE(is_untouched(result));
}

TEST(IvfSearch, InferChecksEveryInputAndParseEveryAttribute) {
  Random random(46);
  SearchProblem problem = random_search(random, 2, 3);
  const Call call(problem.probe);
  const std::vector<TensorView> good = problem.inputs(call);
  IvfSearch::Params params;
  ASSERT_TRUE(IvfSearch::parse(problem.attributes(), params).ok());
  OutputSpecs outputs;
  ASSERT_TRUE(IvfSearch::infer(params, {}, good, outputs).ok());
  ASSERT_EQ(outputs.count, 5);
  const Shape best = {3, problem.probe.heads, problem.k};
  EXPECT_EQ(outputs.shapes[0], best);
  EXPECT_EQ(outputs.shapes[1], best);
  EXPECT_EQ(outputs.shapes[2], (Shape{3, problem.probe.heads}));
  EXPECT_EQ(outputs.shapes[3], (Shape{3, 5}));
  EXPECT_EQ(outputs.shapes[4], (Shape{3}));
  const auto accepts = [&](Inputs inputs) {
    OutputSpecs ignored;
    return IvfSearch::infer(params, {}, inputs, ignored).ok();
  };
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<TensorView> wrong = good;
    wrong[i] = {nullptr, DType::kF16, {3}};
    EXPECT_FALSE(accepts(wrong)) << i;
    wrong[i] = {nullptr, good[i].absent() ? DType::kF32 : good[i].dtype, {4, 4, 4, 4}};
    EXPECT_FALSE(accepts(wrong)) << i;
  }
  EXPECT_FALSE(accepts(std::span(good).first(good.size() - 1)));
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, int64_t{1} << 31}) {
    problem.first_round = bad;
    EXPECT_FALSE(IvfSearch::parse(problem.attributes(), params).ok()) << bad;
  }
}

// The share of misses by hand: as many rows outside as inside, of which an eighth is above the threshold.
TEST(RecallEstimate, ByHand) {
  RecallEvidence evidence;
  evidence.inside = 16 << 20;
  evidence.outside = 8 << 20;
  evidence.wanted = 16;
  EXPECT_EQ(expected_misses(evidence), 8.0);
  evidence.wanted = 32;  // twice as many as expected
  EXPECT_EQ(expected_misses(evidence), 16.0);
  evidence.inside = 0;  // at most eight times
  EXPECT_EQ(expected_misses(evidence), 64.0);
  evidence.inside = 32 << 20;
  evidence.filtered = true;
  evidence.eligible_seen = 25;
  evidence.rows_seen = 100;
  EXPECT_EQ(expected_misses(evidence), 2.0);
  evidence.eligible_round = 5;  // of a better round
  evidence.rows_round = 10;
  EXPECT_EQ(expected_misses(evidence), 4.0);
  evidence.eligible_round = 50;
  EXPECT_EQ(expected_misses(evidence), 8.0);
  EXPECT_EQ(next_round_end(0, 5, 100), 5);
  EXPECT_EQ(next_round_end(1, 5, 100), 2);
  EXPECT_EQ(next_round_end(9, 5, 100), 12);
  EXPECT_EQ(next_round_end(90, 5, 100), 100);
  EXPECT_EQ(tail_entry(0.0f, 0.0f, 8.0f), 32);
  EXPECT_EQ(tail_entry(1.0f, 0.0f, 8.0f), 40);
  EXPECT_EQ(tail_entry(-100.0f, 0.0f, 8.0f), 0);
  EXPECT_EQ(tail_entry(100.0f, 0.0f, 8.0f), 255);
  EXPECT_EQ(tail_entry(std::nanf(""), 0.0f, 8.0f), 0);
}

}  // namespace
}  // namespace silverlode
