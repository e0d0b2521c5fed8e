#include "ops/bloom_build.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/csr_check.cuh"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 512;
constexpr int64_t kPiecePositions = 512;  // of a block's signature, built in shared memory
constexpr int64_t kHalfWords = 2 * kBlockWords;
static_assert(kThreads == kBlockRows, "a thread has a row");

// A block that has terms but no width would lose them.
__global__ void sl_bloom_check_widths(RunError* error, const char* op, const int32_t* term_offsets,
                                      const int64_t* offsets, int64_t blocks) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t block = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; block < blocks; block += stride) {
    const int32_t* rows = term_offsets + block * kBlockRows;
    if (offsets[block + 1] == offsets[block] && rows[kBlockRows] > rows[0]) {
      raise(error, op, Fault::kOffsets, block + 1, offsets[blocks]);
    }
  }
}

// A block per block of rows; wide signatures are built piece by piece, hashing anew for each. A mask word is two 32-bit
// words, the low one first.
__global__ void __launch_bounds__(kThreads) sl_bloom_signatures(const RunError* error, BloomBuild::Args args) {
  if (stopped(error)) return;
  struct Piece;
  auto& piece = shared<uint32_t[kPiecePositions * kHalfWords], Piece>();
  const auto row = static_cast<int64_t>(threadIdx.x);
  for (int64_t block = blockIdx.x; block < args.rows / kBlockRows; block += gridDim.x) {
    const int64_t begin = args.offsets[block];
    const int64_t width = args.offsets[block + 1] - begin;
    const int32_t* entries = args.term_offsets + block * kBlockRows + row;
    for (int64_t first = 0; first < width; first += kPiecePositions) {
      const int64_t positions = width - first < kPiecePositions ? width - first : kPiecePositions;
      for (int64_t i = row; i < positions * kHalfWords; i += kThreads) piece[i] = 0;
      __syncthreads();
      for (int64_t i = entries[0]; i < entries[1]; ++i) {
        const auto hash = static_cast<uint64_t>(args.term_hashes[args.terms[i]]);
        for (int32_t j = 0; j < args.hashes; ++j) {
          const int64_t position = bloom_position(hash, j, width) - first;
          if (position < 0 || position >= positions) continue;
          atomicOr(&piece[position * kHalfWords + row / 32], 1u << (row % 32));
        }
      }
      __syncthreads();
      auto* out = reinterpret_cast<uint32_t*>(args.bloom + (begin + first) * kBlockWords);
      for (int64_t i = row; i < positions * kHalfWords; i += kThreads) out[i] = piece[i];
      __syncthreads();
    }
  }
}

Status run(Context& context, const BloomBuild::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  const int64_t blocks = args.rows / kBlockRows;
  SILVERLODE_RETURN_IF_ERROR(check_offsets(device, BloomBuild::kName, args.term_offsets, args.rows, args.n_entries));
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(device, BloomBuild::kName, args.offsets, blocks, args.positions, UINT32_MAX));
  SILVERLODE_RETURN_IF_ERROR(check_ids(device, BloomBuild::kName, args.terms, args.n_entries, 0, args.n_terms));
  if (blocks == 0) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_bloom_check_widths, grid_for(device, blocks, kThreads), kThreads, 0,
                                    device.error, BloomBuild::kName, args.term_offsets, args.offsets, blocks));
  return launch(device, sl_bloom_signatures, grid_for(device, blocks, 1, 4), kThreads, 0, device.error, args);
}

}  // namespace

template <>
OpEntry<BloomBuild::Args> entry<BloomBuild>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
