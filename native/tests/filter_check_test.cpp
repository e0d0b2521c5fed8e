#include "ops/filter_check.h"

#include "ops/filter_eval.h"
#include "tests/filter_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

TEST(FilterCheck, TheMaskIsTheTruth) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Catalogue catalogue = random_catalogue(random, pick(random, 1, 5), pick(random, 1, 40));
    const auto live = random_words(random, catalogue.words(), 0.9);
    Plans plans;
    std::vector<Plan> each(20);
    for (Plan& plan : each) {
      random_plan(random, catalogue, static_cast<int32_t>(pick(random, 0, 6)), plan);
      plans.add(plan);
    }
    const int64_t words = catalogue.words();
    Guarded<uint64_t> lo(20 * words), hi(20 * words), mask(20 * words);
    const FilterEval::Args eval = {plans.ref(), catalogue.ref(), live.data(), lo.data(), hi.data(), words};
    ASSERT_TRUE(run_op(cpu::entry<FilterEval>(), eval).ok());
    const FilterCheck::Args check = {plans.ref(), catalogue.ref(), lo.data(), hi.data(), mask.data(), words};
    ASSERT_TRUE(run_op(cpu::entry<FilterCheck>(), check).ok());
    for (int64_t plan = 0; plan < 20; ++plan) {
      for (int64_t row = 0; row < catalogue.rows; ++row) {
        const bool match = truth(each[static_cast<size_t>(plan)], catalogue, row) && bit(live.data(), row);
        ASSERT_EQ(bit(mask.data() + plan * words, row), match) << "plan " << plan << " row " << row;
      }
    }
    for (const auto level : levels()) {
      for (const int32_t threads : {1, 2, 3, 8}) {
        Guarded<uint64_t> again(20 * words);
        FilterCheck::Args args = check;
        args.mask = again.data();
        ASSERT_TRUE(run_op(cpu::entry<FilterCheck>(), args, threads, level).ok());
        ASSERT_TRUE(mask == again);
      }
    }
  }
}

TEST(FilterCheck, HostilePlansAreRefusedBeforeAnythingIsWritten) {
  Random random(5);
  const Catalogue catalogue = random_catalogue(random, 1);
  const std::vector<uint64_t> some(static_cast<size_t>(catalogue.words()), 1);
  for (const Plan& hostile : hostile_plans(catalogue)) {
    Plans plans;
    plans.add(hostile);
    Guarded<uint64_t> mask(catalogue.words());
    const FilterCheck::Args args = {plans.ref(), catalogue.ref(), some.data(),
                                    some.data(), mask.data(),     catalogue.words()};
    EXPECT_EQ(run_op(cpu::entry<FilterCheck>(), args).code, Code::kInvalidArgument);
    EXPECT_TRUE(mask.untouched());
  }
}

TEST(FilterCheck, BrokenIndexOffsetsAreNotFollowed) {
  Random random(6);
  Catalogue catalogue = random_catalogue(random, 2);
  for (int32_t& offset : catalogue.term_offsets) offset = static_cast<int32_t>(random());
  const std::vector<uint64_t> none(static_cast<size_t>(catalogue.words()), 0);
  const std::vector<uint64_t> all(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  Plans plans;
  plans.add({bloom_step(catalogue, 30)});
  Guarded<uint64_t> mask(catalogue.words());
  const FilterCheck::Args args = {plans.ref(), catalogue.ref(), none.data(),
                                  all.data(),  mask.data(),     catalogue.words()};
  EXPECT_TRUE(run_op(cpu::entry<FilterCheck>(), args).ok());
}

}  // namespace
}  // namespace silverlode
