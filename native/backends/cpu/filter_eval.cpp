#include "ops/filter_eval.h"

#include <algorithm>

#include "backends/cpu/backend.h"
#include "backends/cpu/filter_words.h"
#include "ops/check.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kChunkWords = 32 * kBlockWords;

size_t workspace(const Context&, const FilterEval::Args& args) {
  return static_cast<size_t>(args.plans.total_steps) * sizeof(int32_t);
}

Status run(Context& context, const FilterEval::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check_filter_plans(args.plans, args.filter));
  int32_t* links = static_cast<int32_t*>(workspace.data);
  link_filter_plans(args.plans, links);

  const FilterKernels& kernels = runtime(context).simd.filter;
  const int64_t chunks = (args.words + kChunkWords - 1) / kChunkWords;
  runtime(context).pool.parallel_for(args.plans.plans * chunks, [&](int64_t task, int32_t) {
    const FilterPlan plan = filter_plan(args.plans, links, task / chunks);
    const int64_t begin = task % chunks * kChunkWords;
    const int64_t end = std::min(args.words, begin + kChunkWords);
    uint64_t* lo = args.lo + task / chunks * args.words;
    uint64_t* hi = args.hi + task / chunks * args.words;
    FilterWords found;
    for (int64_t word = begin; word < end; word += kBlockWords) {
      evaluate_words(plan, args.filter, kernels, word, kBlockWords, found);
      for (int64_t i = 0; i < kBlockWords; ++i) {
        lo[word + i] = found.lo[i] & args.live[word + i];
        hi[word + i] = found.hi[i] & args.live[word + i];
      }
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<FilterEval::Args> entry<FilterEval>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
