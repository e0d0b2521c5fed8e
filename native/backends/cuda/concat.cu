#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "ops/concat.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

// One input's part of every row, in units of T.
template <class T>
__global__ void sl_concat(const RunError* error, const uint8_t* x, uint8_t* y, int64_t rows, int64_t units,
                          int64_t row_units) {
  if (stopped(error)) return;
  const T* from = reinterpret_cast<const T*>(x);
  T* to = reinterpret_cast<T*>(y);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows * units; i += stride) {
    const int64_t row = i / units;
    to[row * row_units + i - row * units] = from[i];
  }
}

template <class T>
Status copy(const Runtime& device, const uint8_t* x, int64_t bytes, uint8_t* y, int64_t row_bytes, int64_t rows) {
  constexpr int64_t kUnit = sizeof(T);
  const int64_t units = bytes / kUnit;
  return launch(device, sl_concat<T>, grid_for(device, rows * units, kThreads * kPerThread), kThreads, 0, device.error,
                x, y, rows, units, row_bytes / kUnit);
}

Status run(Context& context, const Concat::Args& args, Workspace) {
  int64_t width = 0;
  for (int32_t i = 0; i < args.n_inputs; ++i) width += args.row_bytes[i];
  if (args.rows == 0 || width == 0) return ok_status();
  uint8_t* to = args.y;
  for (int32_t i = 0; i < args.n_inputs; ++i) {
    const int64_t bytes = args.row_bytes[i];
    if (bytes == 0) continue;
    // The widest unit that divides both row lengths and both addresses.
    const uint64_t ends =
        static_cast<uint64_t>(bytes | width) | reinterpret_cast<uintptr_t>(args.x[i]) | reinterpret_cast<uintptr_t>(to);
    const auto copy_units = ends % 16 == 0 ? copy<uint4> : ends % 4 == 0 ? copy<uint32_t> : copy<uint8_t>;
    const Status status = copy_units(runtime(context), args.x[i], bytes, to, width, args.rows);
    if (!status.ok()) return status;
    to += bytes;
  }
  return ok_status();
}

}  // namespace

template <>
OpEntry<Concat::Args> entry<Concat>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
