// What an op implementation sees of the device: the stream of the run, limits, the slot for errors in data, GEMMs.
#pragma once

#include <cuda_runtime.h>

#include "backends/cuda/run_error.h"
#include "ops/op.h"

namespace silverlode::cuda {

class Gemm;

// Device properties that launches depend on, read once when the device is opened.
struct DeviceLimits {
  int32_t compute_capability = 0;  // 90 for 9.0
  int32_t sm_count = 1;
  size_t shared_bytes = 48 << 10;  // most dynamic shared memory of a block, after opt-in
  size_t l2_bytes = 0;
  size_t memory_bytes = 0;
};

// What Context::backend points to. Everything a run enqueues goes to `stream`, in order.
struct Runtime {
  cudaStream_t stream = nullptr;
  RunError* error = nullptr;  // device memory, cleared before a run, read after it
  Gemm* gemm = nullptr;
  DeviceLimits limits;
};

inline Runtime& runtime(const Context& context) { return *static_cast<Runtime*>(context.backend); }

// CUDA_ERROR, or OUT_OF_MEMORY where that is what happened; `what` says during which call.
Status status_of(cudaError_t error, const char* what);

}  // namespace silverlode::cuda
