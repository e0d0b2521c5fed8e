#include "ops/filter_check.h"

#include <algorithm>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/warp_filter.cuh"

namespace silverlode::cuda {

namespace {

__global__ void __launch_bounds__(kFilterThreads, 6)
    sl_filter_resolve(const RunError* error, FilterCheck::Args args, FilterProgram program) {
  if (stopped(error)) return;
  struct Memory;
  auto& memory = shared<FilterRows, Memory>();
  const int64_t chunks = (args.words + 31) / 32;
  const int64_t lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kFilterWarps;
  for (int64_t task = static_cast<int64_t>(blockIdx.x) * kFilterWarps + threadIdx.x / 32;
       task < program.plans.plans * chunks; task += warps) {
    const int64_t plan = task / chunks;
    const int64_t first = task % chunks * 32;
    const bool own = first + lane < args.words;
    const int64_t at = plan * args.words + first + lane;
    const uint64_t lo = own ? args.lo[at] : 0;
    const uint64_t doubtful = own ? args.hi[at] & ~lo : 0;
    const uint64_t found = resolve_words(WarpPlan(program, plan), args.filter, memory, first, doubtful);
    if (own) args.mask[at] = lo | found;
  }
}

size_t workspace(const Context&, const FilterCheck::Args& args) {
  Carve carve;
  FilterProgram(args.plans, carve);
  return carve.bytes();
}

Status run(Context& context, const FilterCheck::Args& args, Workspace workspace) {
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const FilterProgram program(args.plans, carve);
  SILVERLODE_RETURN_IF_ERROR(check_plans(device, FilterCheck::kName, args.filter, program));
  const int64_t tasks = args.plans.plans * ((args.words + 31) / 32);
  if (tasks == 0) return ok_status();
  return launch(device, sl_filter_resolve, grid_for(device, tasks, kFilterWarps), kFilterThreads, 0, device.error, args,
                program);
}

}  // namespace

template <>
OpEntry<FilterCheck::Args> entry<FilterCheck>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
