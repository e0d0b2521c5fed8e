#include "ops/rotate.h"

#include <algorithm>

#include "backends/cpu/backend.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskValues = 1 << 14;
constexpr int64_t kTile = 32;  // every block is a power of two of at least Rotate::kPadTo

static_assert(kTile == Rotate::kPadTo);

// The steps h = 16, 8, 4, 2, 1 and the scale. Each step reads halves and writes pairs, which moves the next h to the halves:
// all five are the same loop, that compilers turn into vector additions and interleaved stores.
void hadamard_tile(float* x, float scale) {
  float from[kTile], to[kTile];
  std::copy(x, x + kTile, from);
  for (int step = 0; step < 5; ++step) {
    for (int64_t i = 0; i < kTile / 2; ++i) {
      to[2 * i] = from[i] + from[i + kTile / 2];
      to[2 * i + 1] = from[i] - from[i + kTile / 2];
    }
    std::copy(to, to + kTile, from);
  }
  for (int64_t i = 0; i < kTile; ++i) x[i] = from[i] * scale;
}

void hadamard(float* x, int64_t size) {
  for (int64_t h = size / 2; h >= kTile; h /= 2) {
    for (int64_t begin = 0; begin < size; begin += 2 * h) {
      float *a = x + begin, *b = a + h;
      for (int64_t i = 0; i < h; ++i) {
        const float sum = a[i] + b[i], difference = a[i] - b[i];
        a[i] = sum;
        b[i] = difference;
      }
    }
  }
  const float scale = Rotate::block_scale(size);
  for (int64_t i = 0; i < size; i += kTile) hadamard_tile(x + i, scale);
}

void rotate_row(const Rotate::Args& args, const float* values, float* rotated) {
  if (args.centre) {
    for (int64_t d = 0; d < args.dim; ++d) rotated[d] = (values[d] - args.mean[d]) * static_cast<float>(args.signs[d]);
  } else {
    for (int64_t d = 0; d < args.dim; ++d) rotated[d] = values[d] * static_cast<float>(args.signs[d]);
  }
  std::fill(rotated + args.dim, rotated + args.padded_dim, 0.0f);
  for (int64_t begin = 0; begin < args.padded_dim;) {
    const int64_t size = Rotate::block_size(args.padded_dim - begin);
    hadamard(rotated + begin, size);
    begin += size;
  }
}

float offset_of(const Rotate::Args& args, const float* values) {
  if (args.mean == nullptr) return 0.0f;
  double sum = 0;
  for (int64_t d = 0; d < args.dim; ++d) sum += static_cast<double>(values[d]) * static_cast<double>(args.mean[d]);
  return static_cast<float>(sum);
}

Status run(Context& context, const Rotate::Args& args, Workspace) {
  const int64_t step = kTaskValues / std::max<int64_t>(args.dim, 1) + 1;
  runtime(context).pool.parallel_for((args.rows + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, task * step + step);
    for (int64_t row = task * step; row < end; ++row) {
      const float* values = args.values + row * args.dim;
      rotate_row(args, values, args.rotated + row * args.padded_dim);
      args.offsets[row] = offset_of(args, values);
    }
  });
  return ok_status();
}

}  // namespace

OpEntry<Rotate::Args> rotate_entry() { return {nullptr, run, nullptr, nullptr}; }

}  // namespace silverlode::cpu
