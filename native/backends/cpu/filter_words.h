// The one evaluator of filter plans: a few mask words at a time, so that a whole plan runs in the first-level cache and a
// word is never written to memory between two steps.
#pragma once

#include "backends/cpu/simd/filter_kernels.h"
#include "ops/filter_index.h"

namespace silverlode::cpu {

// One plan of a batch. links[i] > i names the AND whose left operand ends at step i: when nothing is left in hi there, the
// right operand cannot change the result and evaluation goes on behind that AND.
struct FilterPlan {
  const FilterStep* steps;
  const int32_t* links;
  int32_t n_steps;
};

// Fills links[total_steps] for all plans of a batch; the plans must have passed check_filter_plans.
void link_filter_plans(const FilterPlansRef& plans, int32_t* links);

inline FilterPlan filter_plan(const FilterPlansRef& plans, const int32_t* links, int64_t plan) {
  const int32_t begin = plans.offsets[plan];
  return {plans.steps + begin, links + begin, plans.offsets[plan + 1] - begin};
}

// Rows of some words that certainly match (lo) and that may match (hi).
struct FilterWords {
  uint64_t lo[kBlockWords];
  uint64_t hi[kBlockWords];
};

// The words of the only slice that a plan reads, or null: no row is doubtful, and nothing has to be evaluated.
inline const uint64_t* only_slice(const FilterPlan& plan, const FilterIndexRef& index) {
  const bool is_slice = plan.n_steps == 1 && plan.steps[0].op == FilterOp::kSlice;
  return is_slice ? index.slices + plan.steps[0].arg * index.words : nullptr;
}

// Words [word, word + n) of a plan; they lie within one block. Not yet ANDed with live.
void evaluate_words(const FilterPlan& plan, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word,
                    int64_t n, FilterWords& result);

// Which of the rows `doubtful` of one word match, by their exact terms.
uint64_t resolve_word(const FilterPlan& plan, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word,
                      uint64_t doubtful);

}  // namespace silverlode::cpu
