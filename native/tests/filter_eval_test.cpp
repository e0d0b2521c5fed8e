#include "ops/filter_eval.h"

#include "tests/filter_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

FilterEval::Args arguments(const Catalogue& catalogue, const Plans& plans, const std::vector<uint64_t>& live,
                           uint64_t* lo, uint64_t* hi) {
  return {plans.ref(), catalogue.ref(), live.data(), lo, hi, catalogue.words()};
}

TEST(FilterEval, TheTruthLiesBetweenLoAndHi) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Catalogue catalogue = random_catalogue(random, pick(random, 1, 5));
    const auto live = random_words(random, catalogue.words(), 0.9);
    Plans plans;
    std::vector<Plan> each(20);
    for (Plan& plan : each) {
      random_plan(random, catalogue, static_cast<int32_t>(pick(random, 0, 6)), plan);
      plans.add(plan);
    }
    const int64_t total = 20 * catalogue.words();
    Guarded<uint64_t> lo(total), hi(total);
    ASSERT_TRUE(run_op(cpu::entry<FilterEval>(), arguments(catalogue, plans, live, lo.data(), hi.data())).ok());
    for (int64_t plan = 0; plan < 20; ++plan) {
      for (int64_t row = 0; row < catalogue.rows; ++row) {
        const bool match = truth(each[static_cast<size_t>(plan)], catalogue, row) && bit(live.data(), row);
        const bool certain = bit(lo.data() + plan * catalogue.words(), row);
        const bool possible = bit(hi.data() + plan * catalogue.words(), row);
        ASSERT_TRUE(!certain || match) << "plan " << plan << " row " << row;
        ASSERT_TRUE(!match || possible) << "plan " << plan << " row " << row;
      }
    }
    for (const auto level : levels()) {
      for (const int32_t threads : {1, 2, 3, 8}) {
        Guarded<uint64_t> lo2(total), hi2(total);
        const auto args = arguments(catalogue, plans, live, lo2.data(), hi2.data());
        ASSERT_TRUE(run_op(cpu::entry<FilterEval>(), args, threads, level).ok());
        ASSERT_TRUE(lo == lo2 && hi == hi2);
      }
    }
  }
}

TEST(FilterEval, EmptyAndDeepPlans) {
  Random random(3);
  const Catalogue catalogue = random_catalogue(random, 2);
  const std::vector<uint64_t> live(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  Plans plans;
  plans.add({});
  plans.add(deepest_plan());
  plans.steps.resize(plans.steps.size() + 7, {static_cast<FilterOp>(99), 0, 0, 0});  // spare capacity is never read
  Guarded<uint64_t> lo(2 * catalogue.words()), hi(2 * catalogue.words());
  ASSERT_TRUE(run_op(cpu::entry<FilterEval>(), arguments(catalogue, plans, live, lo.data(), hi.data())).ok());
  for (int64_t word = 0; word < catalogue.words(); ++word) {
    EXPECT_EQ(hi[word], 0u);
    EXPECT_EQ(lo[catalogue.words() + word], catalogue.slices[static_cast<size_t>(word)]);
    EXPECT_EQ(hi[catalogue.words() + word], catalogue.slices[static_cast<size_t>(word)]);
  }
}

TEST(FilterEval, NotKeepsRowsThatOnlySeemToHoldATerm) {
  Random random(4);
  Catalogue catalogue = random_catalogue(random, 3, 2);  // 2 positions: nearly everything hits
  const std::vector<uint64_t> live(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  Plans plans;
  plans.add({bloom_step(catalogue, 30), {FilterOp::kNot, 0, 0, 0}});
  Guarded<uint64_t> lo(catalogue.words()), hi(catalogue.words());
  ASSERT_TRUE(run_op(cpu::entry<FilterEval>(), arguments(catalogue, plans, live, lo.data(), hi.data())).ok());
  for (int64_t row = 0; row < catalogue.rows; ++row) {
    EXPECT_TRUE(catalogue.holds(row, 30) || bit(hi.data(), row));
    EXPECT_TRUE(row / 512 != 1 || bit(lo.data(), row)) << "a block without terms is certain";
  }
}

TEST(FilterEval, HostilePlansAreRefusedBeforeAnythingIsWritten) {
  Random random(5);
  const Catalogue catalogue = random_catalogue(random, 1);
  const std::vector<uint64_t> live(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  const auto refused = [&](const Plans& plans) {
    const int64_t total = (static_cast<int64_t>(plans.offsets.size()) - 1) * catalogue.words();
    Guarded<uint64_t> lo(total), hi(total);
    const auto status = run_op(cpu::entry<FilterEval>(), arguments(catalogue, plans, live, lo.data(), hi.data()));
    return status.code == Code::kInvalidArgument && lo.untouched() && hi.untouched();
  };
  for (const Plan& hostile : hostile_plans(catalogue)) {
    Plans plans;
    plans.add({{FilterOp::kAll, 0, 0, 0}});
    plans.add(hostile);
    EXPECT_TRUE(refused(plans));
  }
  Plans plans;
  plans.add({{FilterOp::kAll, 0, 0, 0}});
  for (const std::vector<int32_t>& offsets : {std::vector<int32_t>{0, 2}, {1, 1}, {0, 1, 0}, {0, -1}, {-1, 1}}) {
    plans.offsets = offsets;
    EXPECT_TRUE(refused(plans));
  }
  Catalogue unhashed = catalogue;
  unhashed.hashes = 0;
  Plans term;
  term.add({bloom_step(catalogue, 30)});
  Guarded<uint64_t> lo(catalogue.words()), hi(catalogue.words());
  EXPECT_FALSE(run_op(cpu::entry<FilterEval>(), arguments(unhashed, term, live, lo.data(), hi.data())).ok());
}

TEST(FilterEval, BrokenIndexOffsetsAreNotFollowed) {
  Random random(6);
  Catalogue catalogue = random_catalogue(random, 4);
  const std::vector<uint64_t> live(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  for (int64_t& offset : catalogue.bloom_offsets) offset = static_cast<int64_t>(random());
  Plans plans;
  plans.add({bloom_step(catalogue, 30)});
  Guarded<uint64_t> lo(catalogue.words()), hi(catalogue.words());
  EXPECT_TRUE(run_op(cpu::entry<FilterEval>(), arguments(catalogue, plans, live, lo.data(), hi.data())).ok());
}

TensorView view(DType dtype, const Shape& shape) { return {nullptr, dtype, shape}; }

std::vector<TensorView> inputs(int64_t plans, int64_t steps, int64_t words) {
  return {view(DType::kI32, {plans}),    view(DType::kI64, {steps, 4}),      view(DType::kI64, {words}),
          view(DType::kI64, {3, words}), view(DType::kI64, {100, 8}),        view(DType::kI64, {words / 8 + 1}),
          view(DType::kI32, {0, 0}),     view(DType::kI64, {1, words * 64}), view(DType::kI32, {words * 64 + 1}),
          view(DType::kI32, {500})};
}

TEST(FilterEval, InferChecksShapesAndAcceptsSymbols) {
  FilterEval::Params params;
  OutputSpecs outputs;
  ASSERT_TRUE(FilterEval::infer(params, {}, inputs(4, 9, 16), outputs).ok());
  EXPECT_EQ(outputs.count, 2);
  EXPECT_TRUE(outputs.shapes[1] == (Shape{3, 16}));

  outputs = {};
  EXPECT_FALSE(FilterEval::infer(params, {}, inputs(-2, -3, 16), outputs).ok()) << "the number of plans is unknown";
  params.plans = -1;
  ASSERT_TRUE(FilterEval::infer(params, {}, inputs(-2, -3, 16), outputs).ok());
  EXPECT_TRUE(outputs.shapes[0] == (Shape{-1, 16}));

  params.plans = 5;
  EXPECT_EQ(FilterEval::infer(params, {}, inputs(4, 9, 16), outputs).code, Code::kShapeMismatch);
  params = {};
  EXPECT_EQ(FilterEval::infer(params, {}, inputs(4, 9, 12), outputs).code, Code::kShapeMismatch);
  for (size_t i = 0; i < 10; ++i) {
    auto wrong = inputs(4, 9, 16);
    wrong[i].dtype = DType::kF32;
    EXPECT_EQ(FilterEval::infer(params, {}, wrong, outputs).code, Code::kUnsupportedDtype) << i;
    if (i == 6) continue;  // empty: any shape will do
    wrong = inputs(4, 9, 16);
    wrong[i].shape = {2, 3, 5};
    EXPECT_EQ(FilterEval::infer(params, {}, wrong, outputs).code, Code::kShapeMismatch) << i;
  }
}

}  // namespace
}  // namespace silverlode
