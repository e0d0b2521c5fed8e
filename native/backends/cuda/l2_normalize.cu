#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 128;

// One thread per row: the contract accumulates in float64, ascending, which leaves no parallelism inside a row.
__global__ void sl_l2_normalize(const RunError* error, const float* x, float* y, int64_t rows, int64_t dim) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; row < rows; row += stride) {
    const float* from = x + row * dim;
    float* to = y + row * dim;
    double sum = 0;
    for (int64_t d = 0; d < dim; ++d) sum += static_cast<double>(from[d]) * from[d];
    const double norm = sum == 0 ? 1 : sqrt(sum);
    for (int64_t d = 0; d < dim; ++d) to[d] = static_cast<float>(from[d] / norm);
  }
}

Status run(Context& context, const L2Normalize::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  return launch(device, sl_l2_normalize, grid_for(device, args.rows, kThreads), kThreads, 0, device.error, args.x,
                args.y, args.rows, args.dim);
}

}  // namespace

OpEntry<L2Normalize::Args> l2_normalize_entry() { return {nullptr, run, nullptr, nullptr}; }

}  // namespace silverlode::cuda
