#include <algorithm>
#include <cmath>

#include "backends/cpu/backend.h"
#include "ops/l2_normalize.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskElements = 1 << 14;

void normalize(const float* x, float* y, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += static_cast<double>(x[d]) * x[d];
  const double norm = sum == 0 ? 1 : std::sqrt(sum);
  for (int64_t d = 0; d < dim; ++d) y[d] = static_cast<float>(x[d] / norm);
}

Status run(Context& context, const L2Normalize::Args& args, Workspace) {
  const int64_t step = kTaskElements / std::max<int64_t>(args.dim, 1) + 1;
  runtime(context).pool.parallel_for((args.rows + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.rows, task * step + step);
    for (int64_t row = task * step; row < end; ++row) {
      normalize(args.x + row * args.dim, args.y + row * args.dim, args.dim);
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<L2Normalize::Args> entry<L2Normalize>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
