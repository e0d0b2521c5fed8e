// Named ranges for the timeline of Nsight Systems. Built in where NVTX's header is found (SILVERLODE_NVTX); without a profiler
// attached a range costs a few nanoseconds.
#pragma once

#ifdef SILVERLODE_NVTX
#include <nvtx3/nvToolsExt.h>
#endif

namespace silverlode::cuda {

#ifdef SILVERLODE_NVTX
inline void begin_range(const char* name) { nvtxRangePushA(name); }
inline void end_range() { nvtxRangePop(); }
#else
inline void begin_range(const char*) {}
inline void end_range() {}
#endif

}  // namespace silverlode::cuda
