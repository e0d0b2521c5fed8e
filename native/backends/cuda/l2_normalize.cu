#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "ops/l2_normalize.h"

namespace silverlode::cuda {

namespace {

constexpr int kRows = 32;     // of a block
constexpr int kColumns = 64;  // read at once
constexpr int kThreads = 128;

// The contract accumulates in float64, ascending, which leaves one thread per row; the block reads the rows for it, a few
// columns at a time, and divides them together.
__global__ void sl_l2_normalize(const RunError* error, const float* x, float* y, int64_t rows, int64_t dim) {
  if (stopped(error)) return;
  auto& tile = shared<float[kRows][kColumns + 1], struct Tile>();
  auto& norms = shared<double[kRows], struct Norms>();
  const int64_t n_blocks = (rows + kRows - 1) / kRows;
  for (int64_t block = blockIdx.x; block < n_blocks; block += gridDim.x) {
    const int64_t first = block * kRows;
    const int n_rows = static_cast<int>(rows - first < kRows ? rows - first : kRows);
    const float* from = x + first * dim;
    double sum = 0;
    for (int64_t column = 0; column < dim; column += kColumns) {
      const int width = static_cast<int>(dim - column < kColumns ? dim - column : kColumns);
      __syncthreads();
      for (int i = threadIdx.x; i < n_rows * kColumns; i += kThreads) {
        const int row = i / kColumns, d = i % kColumns;
        if (d < width) tile[row][d] = from[row * dim + column + d];
      }
      __syncthreads();
      if (static_cast<int>(threadIdx.x) < n_rows) {
        for (int d = 0; d < width; ++d) {
          const double value = static_cast<double>(tile[threadIdx.x][d]);
          sum += value * value;
        }
      }
    }
    if (threadIdx.x < kRows) norms[threadIdx.x] = sum == 0 ? 1 : sqrt(sum);
    __syncthreads();
    for (int64_t i = threadIdx.x; i < n_rows * dim; i += kThreads) {
      y[first * dim + i] = static_cast<float>(static_cast<double>(from[i]) / norms[i / dim]);
    }
  }
}

Status run(Context& context, const L2Normalize::Args& args, Workspace) {
  if (args.rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  return launch(device, sl_l2_normalize, grid_for(device, args.rows, kRows), kThreads, 0, device.error, args.x, args.y,
                args.rows, args.dim);
}

}  // namespace

template <>
OpEntry<L2Normalize::Args> entry<L2Normalize>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
