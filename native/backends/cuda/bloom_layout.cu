#include "ops/bloom_layout.h"

#include "backends/cuda/backend.h"
#include "backends/cuda/device/block_scan.cuh"
#include "backends/cuda/device/csr_check.cuh"
#include "backends/cuda/device/group_sort.cuh"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cuda {

namespace {

constexpr int kThreads = 256;

// A block per block of rows: the load at the 95th percentile of the rows that have any.
__global__ void __launch_bounds__(kThreads) sl_bloom_widths(const RunError* error, BloomLayout::Args args) {
  if (stopped(error)) return;
  struct Loads;
  auto& loads = shared<RankKey[kBlockRows], Loads>();
  for (int64_t block = blockIdx.x; block < args.rows / kBlockRows; block += gridDim.x) {
    const int32_t* offsets = args.term_offsets + block * kBlockRows;
    int32_t loaded = 0;
    for (int i = static_cast<int>(threadIdx.x); i < kBlockRows; i += kThreads) {
      loads[i] = static_cast<RankKey>(offsets[i + 1] - offsets[i]);
      loaded += loads[i] != 0 ? 1 : 0;
    }
    const int32_t n = block_scan<kThreads>(loaded).total;
    group_sort<BlockGroup<kThreads>>(loads, static_cast<int>(kBlockRows));  // largest first
    if (threadIdx.x == 0) {
      double width = 0;
      if (n > 0) {
        const int32_t rank = (n * 95 + 99) / 100 - 1;
        width = ceil(args.bits_per_term * static_cast<double>(loads[n - 1 - rank]));
        width = width < static_cast<double>(kMinBloomWidth) ? static_cast<double>(kMinBloomWidth) : width;
        width = width > static_cast<double>(kMaxBloomWidth) ? static_cast<double>(kMaxBloomWidth) : width;
      }
      args.offsets[block + 1] = static_cast<int64_t>(width);
    }
    __syncthreads();
  }
}

// One block turns widths into offsets, in place.
__global__ void __launch_bounds__(kThreads) sl_bloom_offsets(const RunError* error, int64_t* offsets, int64_t blocks) {
  if (stopped(error)) return;
  if (threadIdx.x == 0) offsets[0] = 0;
  int64_t begin = 0;
  for (int64_t first = 0; first < blocks; first += kThreads) {
    const int64_t block = first + threadIdx.x;
    const int64_t width = block < blocks ? offsets[block + 1] : 0;
    const ScanResult<int64_t> sum = block_scan<kThreads>(width);
    if (block < blocks) offsets[block + 1] = begin + sum.before + width;
    begin += sum.total;
  }
}

Status run(Context& context, const BloomLayout::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  SILVERLODE_RETURN_IF_ERROR(check_offsets(device, BloomLayout::kName, args.term_offsets, args.rows, -1));
  const int64_t blocks = args.rows / kBlockRows;
  if (blocks > 0) {
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_bloom_widths, grid_for(device, blocks, 1), kThreads, 0, device.error, args));
  }
  return launch(device, sl_bloom_offsets, 1, kThreads, 0, device.error, args.offsets, blocks);
}

}  // namespace

template <>
OpEntry<BloomLayout::Args> entry<BloomLayout>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
