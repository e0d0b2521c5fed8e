#include "ops/bloom_probe.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/csr_check.cuh"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;

// A thread per word of the result: eight of them read the cache line of a position together.
__global__ void sl_bloom_hits(const RunError* error, BloomProbe::Args args) {
  if (stopped(error)) return;
  const int64_t words = args.blocks * kBlockWords;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.n_terms * words; i += stride) {
    const auto hash = static_cast<uint64_t>(args.term_hashes[i / words]);
    const int64_t block = i % words / kBlockWords;
    const int64_t width = args.offsets[block + 1] - args.offsets[block];
    const uint64_t* signature = args.bloom + args.offsets[block] * kBlockWords + i % kBlockWords;
    uint64_t hits = width > 0 ? ~uint64_t{0} : 0;
    for (int32_t j = 0; width > 0 && j < args.hashes; ++j) {
      hits &= signature[bloom_position(hash, j, width) * kBlockWords];
    }
    args.hits[i] = hits;
  }
}

Status run(Context& context, const BloomProbe::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(device, BloomProbe::kName, args.offsets, args.blocks, args.positions, UINT32_MAX));
  const int64_t words = args.n_terms * args.blocks * kBlockWords;
  if (words == 0) return ok_status();
  return launch(device, sl_bloom_hits, grid_for(device, words, kThreads), kThreads, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<BloomProbe::Args> entry<BloomProbe>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
