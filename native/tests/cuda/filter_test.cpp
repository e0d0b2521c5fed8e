#include "ops/filter_check.h"
#include "ops/filter_eval.h"
#include "tests/cuda/cuda_harness.h"
#include "tests/filter_views.h"

namespace silverlode::cuda {
namespace {

using filter_test::index_views;
using filter_test::view_of;

using filter_test::Catalogue;
using filter_test::Plan;
using filter_test::Plans;
using filter_test::Random;

// filter_eval, then filter_check on what it gave.
void compare(const Catalogue& catalogue, const Plans& plans, const std::vector<uint64_t>& live) {
  Attributes attributes;
  attributes.values["hashes"] = int64_t{catalogue.hashes};
  const auto n = static_cast<int64_t>(plans.offsets.size()) - 1;
  const TensorView offsets = view_of(plans.offsets, DType::kI32, {n + 1});
  const TensorView steps = view_of(plans.steps, DType::kI64, {static_cast<int64_t>(plans.steps.size()), 4});
  std::vector<TensorView> inputs = {offsets, steps, view_of(live, DType::kI64, {catalogue.words()})};
  for (const TensorView& tensor : index_views(catalogue)) inputs.push_back(tensor);
  const OpResult pairs = expect_same<FilterEval>(entry<FilterEval>(), cpu::entry<FilterEval>(), attributes, inputs);
  if (pairs.outputs.size() < 2) return;
  std::vector<TensorView> check = {pairs.outputs[0], pairs.outputs[1], offsets, steps};
  for (const TensorView& tensor : index_views(catalogue)) check.push_back(tensor);
  expect_same<FilterCheck>(entry<FilterCheck>(), cpu::entry<FilterCheck>(), attributes, check);
}

TEST(CudaFilter, RandomPlans) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int64_t width : {16, 24, 100}) {
    const Catalogue catalogue = filter_test::random_catalogue(random, 5, width);
    const std::vector<uint64_t> live = filter_test::random_words(random, catalogue.words(), 0.9);
    Plans plans;
    plans.add({});
    for (int i = 0; i < 25; ++i) {
      Plan plan;
      filter_test::random_plan(random, catalogue, i % 7, plan);
      plans.add(plan);
    }
    compare(catalogue, plans, live);
  }
}

TEST(CudaFilter, DeepPlansBesideShallowOnes) {
  Random random(3);
  const Catalogue catalogue = filter_test::random_catalogue(random, 3);
  Plans plans;
  plans.add({filter_test::bloom_step(catalogue, 20)});
  plans.add(filter_test::deepest_plan());
  for (int depth : {12, 13, 14, 64, 65, 299}) {  // ((… OR (bloom AND NOT bloom)))
    Plan plan;
    for (int i = 0; i < depth; ++i) plan.push_back(filter_test::random_leaf(random, catalogue));
    for (int i = 1; i < depth; ++i) {
      plan.push_back({i % 3 == 0 ? FilterOp::kAnd : FilterOp::kOr, 0, 0, 0});
      if (i % 4 == 0) plan.push_back({FilterOp::kNot, 0, 0, 0});
    }
    plans.add(plan);
  }
  compare(catalogue, plans, filter_test::random_words(random, catalogue.words(), 0.8));
}

TEST(CudaFilter, HostilePlansAreRefused) {
  Random random(4);
  const Catalogue catalogue = filter_test::random_catalogue(random, 2);
  const std::vector<uint64_t> live(static_cast<size_t>(catalogue.words()), ~uint64_t{0});
  for (const Plan& plan : filter_test::hostile_plans(catalogue)) {
    Plans plans;
    plans.add({filter_test::bloom_step(catalogue, 20)});
    plans.add(plan);
    compare(catalogue, plans, live);
  }
  for (const std::vector<int32_t>& offsets : {std::vector<int32_t>{1, 1}, {0, 3}, {0, 1, 0}, {-1, 1}, {0, -5, 1}}) {
    Plans plans;
    plans.add({filter_test::bloom_step(catalogue, 20)});
    plans.offsets = offsets;
    compare(catalogue, plans, live);
  }
}

TEST(CudaFilter, BrokenOffsetsOfTheIndexAreNeverFollowed) {
  Random random(5);
  Catalogue catalogue = filter_test::random_catalogue(random, 4);
  catalogue.bloom_offsets[1] = 1 << 30;
  catalogue.bloom_offsets[3] = -5;
  for (size_t row = 0; row < 2000; row += 3) catalogue.term_offsets[row] = row % 2 == 0 ? -7 : INT32_MAX;
  Plans plans;
  for (int64_t term = 10; term < 16; ++term) plans.add({filter_test::bloom_step(catalogue, term)});
  compare(catalogue, plans, std::vector<uint64_t>(static_cast<size_t>(catalogue.words()), ~uint64_t{0}));
}

}  // namespace
}  // namespace silverlode::cuda
