#include "ops/rotate.h"

#include <algorithm>
#include <cmath>

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

double product(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void subtract(const float* values, const float* mean, float* v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) v[i] = values[i] - mean[i];
}

// v, and the offset and factor of a row.
void align(const Rotate::Args& args, const float* values, float* v, float& offset, float& factor) {
  const double along = product(values, args.mean, args.dim), own = product(values, values, args.dim);
  const double mean = product(args.mean, args.mean, args.dim);
  factor = mean == 0 ? 1.0f : Rotate::aligned_factor(along / mean, std::sqrt(own / mean));
  offset = factor == 0.0f ? 0.0f : static_cast<float>(along / static_cast<double>(factor));
  if (factor == 0.0f) {
    std::fill(v, v + args.dim, 0.0f);
    return;
  }
  for (int64_t d = 0; d < args.dim; ++d) v[d] = values[d] / factor - args.mean[d];
}

void rotate_row(const Rotate::Args& args, int64_t row) {
  const float* values = args.values + row * args.dim;
  float* rotated = args.rotated + row * args.padded_dim;
  float offset = 0.0f, factor = 1.0f;
  switch (args.subtract) {
    case Rotate::Subtract::kNothing:
      std::copy(values, values + args.dim, rotated);
      if (args.mean != nullptr) offset = static_cast<float>(product(values, args.mean, args.dim));
      break;
    case Rotate::Subtract::kMean:
      subtract(values, args.mean, rotated, args.dim);
      offset = static_cast<float>(product(rotated, args.mean, args.dim));
      break;
    case Rotate::Subtract::kAligned: align(args, values, rotated, offset, factor); break;
  }
  args.offsets[row] = offset;
  args.factors[row] = factor;
  for (int64_t d = 0; d < args.dim; ++d) rotated[d] *= static_cast<float>(args.signs[d]);
  std::fill(rotated + args.dim, rotated + args.padded_dim, 0.0f);
  for (int64_t begin = 0; begin < args.padded_dim;) {
    const int64_t size = Rotate::block_size(args.padded_dim - begin);
    hadamard(rotated + begin, size);
    begin += size;
  }
}

Status run(Context& context, const Rotate::Args& args, Workspace) {
  const int64_t step = kTaskValues / std::max<int64_t>(args.dim, 1) + 1;
  runtime(context).pool.parallel_for((args.rows + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, task * step + step);
    for (int64_t row = task * step; row < end; ++row) rotate_row(args, row);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<Rotate::Args> entry<Rotate>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
