#include "ops/slice_build.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/csr_check.cuh"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;

// A thread per row; slices are cleared before. A mask word is two 32-bit words, the low one first.
__global__ void sl_slice_rows(const RunError* error, SliceBuild::Args args) {
  if (stopped(error)) return;
  auto* slices = reinterpret_cast<uint32_t*>(args.slices);
  const int64_t words = args.rows / 32;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; row < args.rows; row += stride) {
    for (int64_t i = args.term_offsets[row]; i < args.term_offsets[row + 1]; ++i) {
      const int32_t slice = args.slice_of_term[args.terms[i]];
      if (slice >= 0) atomicOr(&slices[slice * words + row / 32], 1u << (row % 32));
    }
  }
}

__global__ void sl_slice_clear(const RunError* error, uint64_t* slices, int64_t n) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) slices[i] = 0;
}

Status run(Context& context, const SliceBuild::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  SILVERLODE_RETURN_IF_ERROR(check_offsets(device, SliceBuild::kName, args.term_offsets, args.rows, args.n_entries));
  SILVERLODE_RETURN_IF_ERROR(check_ids(device, SliceBuild::kName, args.terms, args.n_entries, 0, args.n_terms));
  SILVERLODE_RETURN_IF_ERROR(check_ids(device, SliceBuild::kName, args.slice_of_term, args.n_terms, -1, args.n_slices));
  const int64_t words = args.n_slices * (args.rows / 64);
  if (words == 0) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_slice_clear, grid_for(device, words, kThreads), kThreads, 0, device.error, args.slices, words));
  return launch(device, sl_slice_rows, grid_for(device, args.rows, kThreads), kThreads, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<SliceBuild::Args> entry<SliceBuild>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
