#include <algorithm>
#include <cmath>

#include "backends/cpu/backend.h"
#include "ops/layer_norm.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskElements = 1 << 14;

void normalize(const LayerNorm::Args& args, const float* x, float* y) {
  const double count = static_cast<double>(args.dim);
  double sum = 0;
  for (int64_t d = 0; d < args.dim; ++d) sum += x[d];
  const double mean = sum / count;
  double squares = 0;
  for (int64_t d = 0; d < args.dim; ++d) squares += (x[d] - mean) * (x[d] - mean);
  const double deviation = std::sqrt(squares / count + args.epsilon);
  for (int64_t d = 0; d < args.dim; ++d) y[d] = static_cast<float>((x[d] - mean) / deviation);
  if (args.weight != nullptr) {
    for (int64_t d = 0; d < args.dim; ++d) y[d] *= args.weight[d];
  }
  if (args.bias != nullptr) {
    for (int64_t d = 0; d < args.dim; ++d) y[d] += args.bias[d];
  }
}

Status run(Context& context, const LayerNorm::Args& args, Workspace) {
  const int64_t step = kTaskElements / std::max<int64_t>(args.dim, 1) + 1;
  runtime(context).pool.parallel_for((args.rows + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, task * step + step);
    for (int64_t row = task * step; row < end; ++row) normalize(args, args.x + row * args.dim, args.y + row * args.dim);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<LayerNorm::Args> entry<LayerNorm>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
