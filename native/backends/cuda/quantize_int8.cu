#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "core/half.h"
#include "ops/quantize_int8.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 128;
constexpr unsigned kWarps = kThreads / 32;
constexpr unsigned kInfinityBits = 0x7f800000u;

// The bit pattern of max|x| over a row, the same in every lane; above kInfinityBits when there is a NaN: without signs,
// floats order like integers.
__device__ unsigned largest_magnitude(const float* values, int64_t dim, unsigned lane) {
  unsigned largest = 0;
  for (int64_t d = lane; d < dim; d += 32) largest = max(largest, float_bits(values[d]) & 0x7fffffffu);
  for (int step = 16; step > 0; step /= 2) largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, step));
  return largest;
}

__device__ bool finite(unsigned magnitude) { return magnitude < kInfinityBits; }

__global__ void sl_quantize_check(RunError* error, const char* op, const float* values, int64_t rows, int64_t dim) {
  const unsigned lane = threadIdx.x % 32;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < rows; row += stride) {
    if (finite(largest_magnitude(values + row * dim, dim, lane)) || lane != 0) continue;
    for (int64_t d = 0; d < dim; ++d) {
      if (finite(float_bits(values[row * dim + d]) & 0x7fffffffu)) continue;
      raise(error, op, Fault::kNotFinite, row * dim + d, rows * dim);
      break;
    }
  }
}

// Adding 1.5 * 2^23 leaves rint(q), ties to even, in the low mantissa bits. The clamp matters only for subnormal scales,
// where max|x| / scale can exceed 127.
__device__ int8_t quantized(float value, float scale) {
  const float q = value / scale;
  const float clamped = q > 127.0f ? 127.0f : (q < -127.0f ? -127.0f : q);
  return static_cast<int8_t>(static_cast<int32_t>(float_bits(clamped + 12582912.0f) - 0x4b400000u));
}

// A warp per row; the second look at the row comes from the caches.
__global__ void sl_quantize_rows(const RunError* error, const float* values, int8_t* out, float* scales, int64_t rows,
                                 int64_t dim, int64_t padded_dim) {
  if (stopped(error)) return;
  const unsigned lane = threadIdx.x % 32;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < rows; row += stride) {
    const float* from = values + row * dim;
    const float scale = bits_float(largest_magnitude(from, dim, lane)) / 127.0f;
    if (lane == 0) scales[row] = scale;
    for (int64_t d = lane; d < padded_dim; d += 32) {
      out[row * padded_dim + d] = d < dim && scale != 0.0f ? quantized(from[d], scale) : int8_t{0};
    }
  }
}

Status run(Context& context, const QuantizeInt8::Args& args, Workspace) {
  if (args.rows == 0) return ok_status();
  const Runtime& device = runtime(context);
  const unsigned grid = grid_for(device, args.rows, kWarps, 16);
  const Status status = launch(device, sl_quantize_check, grid, kThreads, 0, device.error, QuantizeInt8::kName,
                               args.values, args.rows, args.dim);
  if (!status.ok()) return status;
  return launch(device, sl_quantize_rows, grid, kThreads, 0, device.error, args.values, args.quantized, args.scales,
                args.rows, args.dim, args.padded_dim);
}

}  // namespace

template <>
OpEntry<QuantizeInt8::Args> entry<QuantizeInt8>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
