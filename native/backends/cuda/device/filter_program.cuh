// Filter plans made ready for evaluation: checked, with the stack depth of every plan and the links that let an AND whose
// left operand is empty skip its right one.
#pragma once

#include <algorithm>

#include "backends/carve.h"
#include "backends/cuda/device/block_scan.cuh"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cuda {

constexpr int32_t kShallowStack = 12;  // entries in shared memory; the top of the stack is in registers besides
constexpr int32_t kDeepWarps = 64;     // warps that evaluate deeper plans, whose stack goes on in global memory

struct FilterPair {
  uint64_t lo;  // rows that certainly match
  uint64_t hi;  // rows that may match
};

struct FilterProgram {
  FilterProgram(const FilterPlansRef& refs, Carve& carve)
      : plans(refs),
        spilled(std::clamp<int32_t>(
            static_cast<int32_t>(std::min<int64_t>((refs.total_steps + 1) / 2, kMaxFilterStack)) - kShallowStack - 1, 0,
            kMaxFilterStack)),
        links(carve.take<int32_t>(refs.total_steps)),
        before(carve.take<int32_t>(refs.total_steps)),
        depths(carve.take<int32_t>(refs.plans + 1)),
        spill(carve.take<FilterPair>(int64_t{kDeepWarps} * spilled * 32)) {}

  FilterPlansRef plans;
  int32_t spilled;    // stack entries of a lane in global memory
  int32_t* links;     // [total_steps] the AND, as a step of the plan, whose left operand ends here; 0 for none
  int32_t* before;    // [total_steps] stack entries before a step
  int32_t* depths;    // [plans] stack entries a plan needs, then the most of any plan
  FilterPair* spill;  // [kDeepWarps, spilled, 32]

  __device__ bool is_deep(int64_t plan) const { return depths[plan] > kShallowStack + 1; }
  __device__ bool any_deep() const { return depths[plans.plans] > kShallowStack + 1; }
};

namespace {

constexpr int kPlanThreads = 256;

// A block per plan. The stack before every step is a prefix sum, so all steps are checked at once.
__global__ void __launch_bounds__(kPlanThreads)
    sl_filter_plans(RunError* error, const char* op, FilterIndexRef index, FilterProgram program) {
  struct Depth;
  struct Broken;
  auto& deepest = shared<int32_t, Depth>();
  auto& broken = shared<int32_t, Broken>();
  const FilterPlansRef& plans = program.plans;
  for (int64_t plan = blockIdx.x; plan < plans.plans; plan += gridDim.x) {
    const int32_t begin = plans.offsets[plan];
    const int32_t end = plans.offsets[plan + 1];
    if (begin < 0 || begin > end || end > plans.total_steps || (plan == 0 && begin != 0)) {
      if (threadIdx.x == 0) raise(error, op, Fault::kOffsets, plan, plans.total_steps);
      continue;
    }
    if (threadIdx.x == 0) {
      deepest = 0;
      broken = 0;
    }
    int32_t depth = 0;
    for (int32_t first = begin; first < end; first += kPlanThreads) {
      const int32_t i = first + static_cast<int32_t>(threadIdx.x);
      const int32_t taken = i < end ? filter_operands(plans.steps[i], index) : 1;
      const ScanResult<int32_t> sum = block_scan<kPlanThreads>(taken < 0 ? 0 : 1 - taken);
      const int32_t own = depth + sum.before;
      if (i < end) {
        program.links[i] = 0;
        program.before[i] = own;
        if (taken < 0 || taken > own || own - taken >= kMaxFilterStack || !keeps_run(plans.steps, i, end)) {
          raise(error, op, Fault::kPlanStep, i - begin, end - begin);
          atomicExch(&broken, 1);
        } else {
          atomicMax(&deepest, own - taken + 1);
        }
      }
      depth += sum.total;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      if (begin != end && depth != 1) {
        raise(error, op, Fault::kPlanStep, end - begin, end - begin);
        broken = 1;
      }
      program.depths[plan] = deepest;
      atomicMax(&program.depths[plans.plans], deepest);
    }
    __syncthreads();
    for (int32_t i = begin + static_cast<int32_t>(threadIdx.x); i < end && broken == 0; i += kPlanThreads) {
      if (plans.steps[i].op != FilterOp::kAnd) continue;
      int32_t start = i - 1;  // of the right operand: the last step that found as few entries as it adds one to
      while (program.before[start] >= program.before[i]) --start;
      program.links[start - 1] = i - begin;
    }
    __syncthreads();
  }
}

}  // namespace

// INVALID_ARGUMENT later, when a plan is wrong; else `program` is ready for the kernels that follow.
inline Status check_plans(const Runtime& device, const char* op, const FilterIndexRef& index,
                          const FilterProgram& program) {
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(program.depths + program.plans.plans, 0, sizeof(int32_t), device.stream),
                "clearing plan depths"));
  if (program.plans.plans == 0) return ok_status();
  return launch(device, sl_filter_plans, grid_for(device, program.plans.plans, 1), kPlanThreads, 0, device.error, op,
                index, program);
}

}  // namespace silverlode::cuda
