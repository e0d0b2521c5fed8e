#include <algorithm>

#include "backends/cpu/backend.h"
#include "ops/elementwise.h"

namespace silverlode::cpu {

namespace {

using Function = Elementwise::Function;

constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kRepeated = 512;  // a shorter b is repeated into a buffer of this size first

// y = a op b over elements [first, end), b repeated with its period, which starts anew at element 0.
void combine(const FloatKernels& kernels, const Elementwise::Args& args, const float* b, int64_t period, int64_t first,
             int64_t end) {
  const ValueOp op = args.function == Function::kAdd ? ValueOp::kAdd : ValueOp::kMultiply;
  while (first < end) {
    const int64_t at = first % period;
    const int64_t n = std::min(period - at, end - first);
    kernels.binary(op, args.a + first, b + at, args.y + first, n);
    first += n;
  }
}

// y = a op b over elements [first, end), `repeat` of them for every number of b.
void combine_rows(const Elementwise::Args& args, int64_t first, int64_t end) {
  const bool add = args.function == Function::kAdd;
  while (first < end) {
    const int64_t row = first / args.repeat;
    const float b = args.b[row];
    for (const int64_t last = std::min(end, (row + 1) * args.repeat); first < last; ++first) {
      args.y[first] = add ? args.a[first] + b : args.a[first] * b;
    }
  }
}

Status run(Context& context, const Elementwise::Args& args, Workspace) {
  const FloatKernels& kernels = runtime(context).simd.floats;
  const float* b = args.b;
  int64_t period = args.b_elements;
  float repeated[kRepeated];
  if (b != nullptr && period > 0 && period <= kRepeated / 2 && args.elements > period) {
    const int64_t times = kRepeated / period;
    for (int64_t i = 0; i < times; ++i) std::copy(args.b, args.b + period, repeated + i * period);
    b = repeated;
    period *= times;
  }
  const int64_t tasks = (args.elements + kTaskElements - 1) / kTaskElements;
  runtime(context).pool.parallel_for(tasks, [&](int64_t task, int32_t) {
    const int64_t first = task * kTaskElements;
    const int64_t end = std::min(args.elements, first + kTaskElements);
    if (args.repeat > 1) {
      combine_rows(args, first, end);
    } else if (b != nullptr) {
      combine(kernels, args, b, period, first, end);
    } else {
      kernels.activate(args.a + first, args.y + first, end - first, activation_of(args.function));
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<Elementwise::Args> entry<Elementwise>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
