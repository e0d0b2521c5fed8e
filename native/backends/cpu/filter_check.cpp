#include "ops/filter_check.h"

#include <algorithm>

#include "backends/cpu/backend.h"
#include "backends/cpu/filter_words.h"
#include "ops/check.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kChunkWords = 64;

size_t workspace(const Context&, const FilterCheck::Args& args) {
  return static_cast<size_t>(args.plans.total_steps) * sizeof(int32_t);
}

Status run(Context& context, const FilterCheck::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check_filter_plans(args.plans, args.filter));
  int32_t* links = static_cast<int32_t*>(workspace.data);
  link_filter_plans(args.plans, links);

  const FilterKernels& kernels = runtime(context).simd.filter;
  const int64_t chunks = (args.words + kChunkWords - 1) / kChunkWords;
  runtime(context).pool.parallel_for(args.plans.plans * chunks, [&](int64_t task, int32_t) {
    const FilterPlan plan = filter_plan(args.plans, links, task / chunks);
    const int64_t first = task / chunks * args.words;
    const int64_t begin = task % chunks * kChunkWords;
    const int64_t end = std::min(args.words, begin + kChunkWords);
    for (int64_t word = begin; word < end; ++word) {
      const uint64_t lo = args.lo[first + word];
      const uint64_t doubtful = args.hi[first + word] & ~lo;
      args.mask[first + word] = lo | resolve_word(plan, args.filter, kernels, word, doubtful);
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<FilterCheck::Args> entry<FilterCheck>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
