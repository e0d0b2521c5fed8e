// Errors that only the data can tell (an id out of range, offsets that descend): found on the device, told when the run ends.
//
// A kernel either checks or works. Check kernels raise; kernels launched after them ask `stopped` first and then do nothing, so
// that bad data is never followed. The first error of a run wins; which one that is among many bad entries may differ from
// device to device, its code and op do not.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/status.h"

namespace silverlode::cuda {

// What can be wrong; run_error.cpp has the texts.
enum class Fault : int32_t {
  kNone = 0,
  kIndex,          // value is not in [0, limit)
  kOffsets,        // offsets do not ascend from 0 to at most limit; value is the entry
  kCluster,        // a cluster is not in [0, limit)
  kClusterBounds,  // cluster_begin does not ascend in multiples of 64 up to limit; value is the entry
  kCount,          // a count is not in [0, limit]
  kPlan,           // a plan is not in [-1, limit)
  kPlanStep,       // step `value` of the filter plans is not valid
  kRow,            // a row is not below limit
  kTerm,           // a term is not in [0, limit)
  kNotFinite,      // element `value` is NaN or infinite
  kFormulaStep,    // step `value` of a formula is not valid
  kCandidate,      // a candidate's row is not in [-1, limit)
  kTail,           // a share of a tail is not in [0, limit]
};

struct RunError {
  int32_t fault;   // a Fault; kNone while all is well
  const char* op;  // host pointer to the op's name
  int64_t value;
  int64_t limit;
};

// INVALID_ARGUMENT with the op's name and the fault's text; ok while there is none.
Status status_of(const RunError& error);

#if defined(__CUDACC__) || defined(SILVERLODE_EMULATION)
__device__ inline bool stopped(const RunError* error) { return error->fault != 0; }

__device__ inline void raise(RunError* error, const char* op, Fault fault, int64_t value, int64_t limit) {
  if (atomicCAS(&error->fault, 0, static_cast<int32_t>(fault)) != 0) return;
  error->op = op;
  error->value = value;
  error->limit = limit;
}
#endif

}  // namespace silverlode::cuda
