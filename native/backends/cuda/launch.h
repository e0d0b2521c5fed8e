// The one way to launch a kernel, and what a kernel may ask of its launch. Included by .cu files only.
//
// Rules for kernels (the emulation and the race checker hold us to them):
//   - names start with sl_ (`ncu -k regex:sl_scan` finds them); every kernel lives in an anonymous namespace;
//   - shared memory only through shared<> and dynamic_shared<>, uninitialised at entry;
//   - no return before a block barrier, no barrier in divergent code;
//   - warp operations name exactly the live lanes; no implicit warp synchrony;
//   - hand-over between blocks only by __threadfence and an atomic; never wait for another block;
//   - sums that must repeat bit for bit are integers, or floats in one fixed order; nothing is contracted (-fmad=false):
//     an fma is written fmaf.
#pragma once

#include <cuda_runtime.h>

#include "backends/cuda/runtime.h"

namespace silverlode::cuda {

// Enqueues a kernel on the stream of the run. An empty grid is no launch.
template <class... Parameters, class... Arguments>
Status launch(const Runtime& runtime, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
              Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return ok_status();
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = runtime.stream;
  return status_of(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "kernel launch");
}

// Lets a kernel use more dynamic shared memory than the 48 KB every device grants.
template <class... Parameters>
Status allow_shared(void (*kernel)(Parameters...), size_t bytes) {
  return status_of(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
                   "shared memory of a kernel");
}

// Blocks for n items, at least 1 and at most what keeps every SM busy: kernels stride over the rest.
inline unsigned grid_for(const Runtime& runtime, int64_t n, int64_t per_block, int64_t blocks_per_sm = 8) {
  const int64_t wanted = (n + per_block - 1) / per_block;
  const int64_t most = static_cast<int64_t>(runtime.limits.sm_count) * blocks_per_sm;
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

// A variable in the block's shared memory, for example `auto& counts = shared<uint32_t[256], struct Counts>();`. The tag
// tells two variables of a kernel apart.
template <class T, class Tag>
__device__ __forceinline__ T& shared() {
#ifdef SILVERLODE_EMULATION
  static const char identity = 0;
  return *static_cast<T*>(emulation::shared_memory(&identity, sizeof(T), alignof(T), __PRETTY_FUNCTION__));
#else
  __shared__ __align__(16) unsigned char memory[sizeof(T)];
  return *reinterpret_cast<T*>(memory);
#endif
}

// The shared memory that the launch asked for with `shared_bytes`, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef SILVERLODE_EMULATION
  return static_cast<T*>(emulation::dynamic_shared_memory());
#else
  extern __shared__ __align__(16) unsigned char silverlode_dynamic_shared[];
  return reinterpret_cast<T*>(silverlode_dynamic_shared);
#endif
}

}  // namespace silverlode::cuda
