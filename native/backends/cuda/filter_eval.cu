#include "ops/filter_eval.h"

#include <algorithm>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/warp_filter.cuh"

namespace silverlode::cuda {

namespace {

// Warps take 32 words of a plan at a time: shallow plans all of them, deep ones the first kDeepWarps.
__global__ void __launch_bounds__(kFilterThreads, 5)
    sl_filter_words(const RunError* error, FilterEval::Args args, FilterProgram program) {
  if (stopped(error)) return;
  struct Memory;
  auto& memory = shared<FilterStacks, Memory>();
  const int warp_in_block = static_cast<int>(threadIdx.x / 32);
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * kFilterWarps + warp_in_block;
  const int64_t all_warps = static_cast<int64_t>(gridDim.x) * kFilterWarps;
  const int64_t chunks = (args.words + 31) / 32;
  const int32_t lane = static_cast<int32_t>(threadIdx.x % 32);
  for (int pass = 0; pass < 2; ++pass) {
    const bool deep = pass == 1;
    const int64_t warps = deep && all_warps > kDeepWarps ? kDeepWarps : all_warps;
    if (deep && (warp >= warps || !program.any_deep())) break;
    FilterPair* spill = deep ? program.spill + warp * program.spilled * 32 : nullptr;
    for (int64_t task = warp; task < program.plans.plans * chunks; task += warps) {
      const int64_t plan = task / chunks;
      if (program.is_deep(plan) != deep) continue;
      const int64_t first = task % chunks * 32;
      const auto n = static_cast<int32_t>(args.words - first < 32 ? args.words - first : 32);
      const FilterPair pair = evaluate_words(WarpPlan(program, plan), args.filter,
                                             FilterStack(memory.entries[warp_in_block], spill), first, n);
      if (lane >= n) continue;
      args.lo[plan * args.words + first + lane] = pair.lo & args.live[first + lane];
      args.hi[plan * args.words + first + lane] = pair.hi & args.live[first + lane];
    }
  }
}

size_t workspace(const Context&, const FilterEval::Args& args) {
  Carve carve;
  FilterProgram(args.plans, carve);
  return carve.bytes();
}

Status run(Context& context, const FilterEval::Args& args, Workspace workspace) {
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const FilterProgram program(args.plans, carve);
  SILVERLODE_RETURN_IF_ERROR(check_plans(device, FilterEval::kName, args.filter, program));
  const int64_t tasks = args.plans.plans * ((args.words + 31) / 32);
  if (tasks == 0) return ok_status();
  return launch(device, sl_filter_words, grid_for(device, tasks, kFilterWarps), kFilterThreads, 0, device.error, args,
                program);
}

}  // namespace

template <>
OpEntry<FilterEval::Args> entry<FilterEval>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
