// The formula is interpreted: all threads of the grid take the same step at the same time, each for a few candidates, so that
// decoding a step is paid once for all of them. The operators are the CPU's own functions.
#include <algorithm>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/thread_math.cuh"
#include "backends/cuda/launch.h"
#include "ops/check.h"
#include "ops/value_model.h"

namespace silverlode::cuda {

namespace {

using Args = ValueModel::Args;

constexpr int kThreads = 64;
constexpr int kEach = 4;  // candidates of a thread
constexpr size_t kGrantedShared = 48 << 10;

struct Operands {
  float of[kEach];
};

// One thread: a step's validity depends on those before it. `reads_columns` gets 1 where a step does.
__global__ void sl_value_check_steps(RunError* error, const char* op, Args args, int32_t* reads_columns) {
  *reads_columns = 0;
  int64_t depth = 0;
  int32_t columns = 0;
  for (int64_t step = 0; step < args.n_steps; ++step) {
    const int32_t opcode = args.steps[2 * step];
    const int64_t argument = args.steps[2 * step + 1];
    const int operands = operand_count(opcode);
    const ValueOp value_op = static_cast<ValueOp>(opcode);
    const bool pushes = operands == 0 && value_op != ValueOp::kScore;
    const bool bad_argument = pushes && (argument < 0 || argument >= argument_count(args, value_op));
    depth += 1 - operands;
    if (operands < 0 || bad_argument || depth < 1 || depth > kMaxValueStack) {
      return raise(error, op, Fault::kFormulaStep, step, args.n_steps);
    }
    if (value_op == ValueOp::kColumn) columns = 1;
  }
  if (depth != 1) raise(error, op, Fault::kFormulaStep, args.n_steps, args.n_steps);
  *reads_columns = columns;
}

__global__ void sl_value_check_ordinals(RunError* error, const char* op, Args args, const int32_t* reads_columns) {
  if (*reads_columns == 0) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t n = args.batch * args.candidates;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const int64_t ordinal = args.ordinals[i];
    if (ordinal < -1 || ordinal >= args.items) raise(error, op, Fault::kIndex, ordinal, args.items);
  }
}

// What a step without operands pushes for one candidate.
__device__ __forceinline__ float pushed(const Args& args, ValueOp op, int32_t argument, int64_t candidate) {
  switch (op) {
    case ValueOp::kConst: return args.constants[argument];
    case ValueOp::kWeight: return args.weights[candidate / args.candidates * args.n_weights + argument];
    case ValueOp::kTask: return args.logits[candidate * args.tasks + argument];
    case ValueOp::kColumn: {
      const int64_t row = args.ordinals[candidate];
      return row < 0 ? 0.0f : args.columns[row * args.n_columns + argument];
    }
    default: return args.scores[candidate];
  }
}

// The values below the top of the stack, in shared memory: [slot][thread].
struct Stack {
  Operands* slots;
  int size = 0;

  __device__ __forceinline__ void push(const Operands& operands) { slots[size++ * kThreads + threadIdx.x] = operands; }
  __device__ __forceinline__ Operands pop() { return slots[--size * kThreads + threadIdx.x]; }
};

__global__ void __launch_bounds__(kThreads) sl_value_model(const RunError* error, Args args) {
  if (stopped(error)) return;
  const int64_t n = args.batch * args.candidates;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads * kEach; first < n;
       first += static_cast<int64_t>(gridDim.x) * kThreads * kEach) {
    // Candidates beyond the last are the last again, and not stored.
    const auto candidate_of = [&](int i) {
      const int64_t candidate = first + i * kThreads + threadIdx.x;
      return candidate < n ? candidate : n - 1;
    };
    Stack stack = {dynamic_shared<Operands>()};
    Operands top = {};
    for (int64_t step = 0; step < args.n_steps; ++step) {
      const ValueOp op = static_cast<ValueOp>(args.steps[2 * step]);
      const int operands = operand_count(args.steps[2 * step]);
      if (operands == 0) {
        if (step > 0) stack.push(top);
        const int32_t argument = args.steps[2 * step + 1];
        for (int i = 0; i < kEach; ++i) top.of[i] = pushed(args, op, argument, candidate_of(i));
      } else if (operands == 1) {
        value_unary<ThreadFloat>(op, [&](auto f) {
          for (int i = 0; i < kEach; ++i) top.of[i] = f(ThreadFloat(top.of[i])).v;
        });
      } else if (operands == 2) {
        const Operands left = stack.pop();
        value_binary<ThreadFloat>(op, [&](auto f) {
          for (int i = 0; i < kEach; ++i) top.of[i] = f(ThreadFloat(left.of[i]), ThreadFloat(top.of[i])).v;
        });
      } else {
        const Operands second = stack.pop(), third = top;
        const Operands left = stack.pop();
        value_ternary<ThreadFloat>(op, [&](auto f) {
          for (int i = 0; i < kEach; ++i) {
            top.of[i] = f(ThreadFloat(left.of[i]), ThreadFloat(second.of[i]), ThreadFloat(third.of[i])).v;
          }
        });
      }
    }
    for (int i = 0; i < kEach; ++i) {
      if (first + i * kThreads + threadIdx.x >= n) continue;
      const int64_t candidate = candidate_of(i);
      args.values[candidate] = args.ordinals[candidate] < 0 ? -INFINITY : top.of[i];
    }
  }
}

// Slots for the values that n steps can pile up below the top, when they leave one: a step takes up to two more than it
// gives.
int64_t most_slots(int64_t n_steps) {
  const int64_t below_top = 2 * (n_steps - 1) / 3;
  return std::clamp<int64_t>(below_top, 1, kMaxValueStack - 1);
}

size_t workspace(const Context&, const Args&) { return sizeof(int32_t); }

Status run(Context& context, const Args& args, Workspace workspace) {
  const Runtime& device = runtime(context);
  int32_t* reads_columns = static_cast<int32_t*>(workspace.data);
  const int64_t n = args.batch * args.candidates;
  SILVERLODE_RETURN_IF_ERROR(
      launch(device, sl_value_check_steps, 1, 1, 0, device.error, ValueModel::kName, args, reads_columns));
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_value_check_ordinals, grid_for(device, n, kThreads * kEach), kThreads, 0,
                                    device.error, ValueModel::kName, args, reads_columns));
  const size_t shared_bytes = static_cast<size_t>(most_slots(args.n_steps)) * kThreads * sizeof(Operands);
  if (shared_bytes > kGrantedShared) SILVERLODE_RETURN_IF_ERROR(allow_shared(sl_value_model, shared_bytes));
  return launch(device, sl_value_model, grid_for(device, n, kThreads * kEach, 16), kThreads, shared_bytes, device.error,
                args);
}

}  // namespace

template <>
OpEntry<ValueModel::Args> entry<ValueModel>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
