#include "ops/quantize_int8.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "backends/cpu/backend.h"
#include "core/half.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskValues = 65536;  // less work than this is not worth a task of its own
constexpr uint32_t kInfinityBits = 0x7f800000u;

// The bit pattern of max|x|, larger than kInfinityBits when there is a NaN: without signs, floats order like integers.
uint32_t largest_magnitude(const float* values, int64_t n) {
  int32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, static_cast<int32_t>(float_bits(values[i]) & 0x7fffffffu));
  }
  return static_cast<uint32_t>(largest);
}

void quantize_row(const float* values, int64_t dim, int64_t padded_dim, int8_t* quantized, float& scale) {
  scale = bits_float(largest_magnitude(values, dim)) / 127.0f;
  if (scale == 0.0f) {
    std::memset(quantized, 0, static_cast<size_t>(padded_dim));
    return;
  }
  // Adding 1.5 * 2^23 leaves rint(q), ties to even, in the low mantissa bits. The clamp matters only for subnormal
  // scales, where max|x| / scale can exceed 127.
  for (int64_t i = 0; i < dim; ++i) {
    const float q = values[i] / scale;
    const float clamped = q > 127.0f ? 127.0f : (q < -127.0f ? -127.0f : q);
    quantized[i] = static_cast<int8_t>(static_cast<int32_t>(float_bits(clamped + 12582912.0f) - 0x4b400000u));
  }
  std::memset(quantized + dim, 0, static_cast<size_t>(padded_dim - dim));
}

Status run(Context& context, const QuantizeInt8::Args& args, Workspace) {
  const int64_t step = std::max<int64_t>(1, kTaskValues / std::max<int64_t>(1, args.dim));
  const int64_t tasks = (args.rows + step - 1) / step;
  ThreadPool& pool = runtime(context).pool;

  std::atomic<int64_t> first_bad{args.rows};
  pool.parallel_for(tasks, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, (task + 1) * step);
    for (int64_t row = task * step; row < end; ++row) {
      if (largest_magnitude(args.values + row * args.dim, args.dim) < kInfinityBits) continue;
      int64_t seen = first_bad.load();
      while (row < seen && !first_bad.compare_exchange_weak(seen, row)) {
      }
      return;
    }
  });
  if (first_bad < args.rows) {
    return make_error(Code::kInvalidArgument, "%s: row %lld of 'values' holds NaN or Infinity", QuantizeInt8::kName,
                      static_cast<long long>(first_bad.load()));
  }

  pool.parallel_for(tasks, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, (task + 1) * step);
    for (int64_t row = task * step; row < end; ++row) {
      quantize_row(args.values + row * args.dim, args.dim, args.padded_dim, args.quantized + row * args.padded_dim,
                   args.scales[row]);
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<QuantizeInt8::Args> entry<QuantizeInt8>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
