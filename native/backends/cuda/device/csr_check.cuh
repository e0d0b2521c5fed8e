// Checks of rows given as offsets and ids, before an op writes anything.
#pragma once

#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

template <class Offset>
__global__ void sl_check_offsets(RunError* error, const char* op, const Offset* offsets, int64_t n, int64_t entries,
                                 int64_t widest) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i <= n; i += stride) {
    const int64_t end = entries < 0 ? offsets[n] : entries;
    const int64_t before = i == 0 ? 0 : offsets[i - 1];
    const bool ends_well = (i > 0 || offsets[0] == 0) && (i < n || offsets[n] == end);
    // Unsigned: offsets may be anything, and only where they ascend is their difference of interest.
    const uint64_t width = static_cast<uint64_t>(offsets[i]) - static_cast<uint64_t>(before);
    if (offsets[i] < before || offsets[i] > end || width > static_cast<uint64_t>(widest) || !ends_well) {
      raise(error, op, Fault::kOffsets, i, end);
    }
  }
}

__global__ void sl_check_ids(RunError* error, const char* op, const int32_t* ids, int64_t n, int64_t low,
                             int64_t high) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    if (ids[i] < low || ids[i] >= high) raise(error, op, Fault::kTerm, ids[i], high);
  }
}

}  // namespace

// offsets[0] = 0, ascending by at most `widest` a step, offsets[n] = entries; whatever the last one is for entries < 0.
template <class Offset>
Status check_offsets(const Runtime& device, const char* op, const Offset* offsets, int64_t n, int64_t entries,
                     int64_t widest = INT64_MAX) {
  constexpr unsigned kThreads = 256;
  return launch(device, sl_check_offsets<Offset>, grid_for(device, n + 1, kThreads), kThreads, 0, device.error, op,
                offsets, n, entries, widest);
}

// Every id in [low, high).
inline Status check_ids(const Runtime& device, const char* op, const int32_t* ids, int64_t n, int64_t low,
                        int64_t high) {
  constexpr unsigned kThreads = 256;
  if (n == 0) return ok_status();
  return launch(device, sl_check_ids, grid_for(device, n, kThreads), kThreads, 0, device.error, op, ids, n, low, high);
}

}  // namespace silverlode::cuda
