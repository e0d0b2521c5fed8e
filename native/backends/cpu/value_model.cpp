// The formula runs on blocks of candidates: one pass of a vector kernel per step, operands on a stack of block buffers.
#include <algorithm>
#include <limits>

#include "backends/cpu/backend.h"
#include "ops/value_model.h"

namespace silverlode::cpu {

namespace {

using Args = ValueModel::Args;

constexpr int64_t kBlock = 512;  // candidates at once: a few buffers fit the first-level cache

Status check_steps(const Args& args, bool& reads_columns) {
  int64_t depth = 0;
  reads_columns = false;
  for (int64_t step = 0; step < args.n_steps; ++step) {
    const int32_t opcode = args.steps[2 * step], argument = args.steps[2 * step + 1];
    const long long at = step;
    const int32_t operands = operand_count(opcode);
    if (operands < 0) {
      return make_error(Code::kInvalidArgument, "value_model: step %lld has the unknown opcode %d", at, opcode);
    }
    const ValueOp op = static_cast<ValueOp>(opcode);
    if (operands == 0 && op != ValueOp::kScore && (argument < 0 || argument >= argument_count(args, op))) {
      return make_error(Code::kInvalidArgument, "value_model: step %lld has argument %d, but there are %lld", at,
                        argument, static_cast<long long>(argument_count(args, op)));
    }
    if (depth < operands) {
      return make_error(Code::kInvalidArgument, "value_model: step %lld needs %d values, the stack has %lld", at,
                        operands, static_cast<long long>(depth));
    }
    depth += 1 - operands;
    if (depth > kMaxValueStack) {
      return make_error(Code::kInvalidArgument, "value_model: step %lld exceeds the stack of %d values", at,
                        kMaxValueStack);
    }
    reads_columns |= op == ValueOp::kColumn;
  }
  if (depth == 1) return ok_status();
  return make_error(Code::kInvalidArgument, "value_model: the steps leave %lld values instead of one",
                    static_cast<long long>(depth));
}

Status check_ordinals(const Args& args) {
  for (int64_t i = 0; i < args.batch * args.candidates; ++i) {
    if (args.ordinals[i] < -1 || args.ordinals[i] >= args.items) {
      return make_error(Code::kInvalidArgument, "value_model: ordinals[%lld] is %d, but there are %lld items",
                        static_cast<long long>(i), args.ordinals[i], static_cast<long long>(args.items));
    }
  }
  return ok_status();
}

// Writes the n values that a step without operands pushes. `first` is the block's first candidate.
void push(const Args& args, ValueOp op, int32_t argument, int64_t request, int64_t first, int64_t n, float* to) {
  switch (op) {
    case ValueOp::kConst: std::fill(to, to + n, args.constants[argument]); break;
    case ValueOp::kWeight: std::fill(to, to + n, args.weights[request * args.n_weights + argument]); break;
    case ValueOp::kTask:
      for (int64_t i = 0; i < n; ++i) to[i] = args.logits[(first + i) * args.tasks + argument];
      break;
    case ValueOp::kColumn:
      for (int64_t i = 0; i < n; ++i) {
        const int64_t row = args.ordinals[first + i];
        to[i] = row < 0 ? 0.0f : args.columns[row * args.n_columns + argument];
      }
      break;
    default: std::copy(args.scores + first, args.scores + first + n, to);
  }
}

// One block; `stack` holds kMaxValueStack buffers of kBlock values.
void evaluate(const FloatKernels& kernels, const Args& args, int64_t request, int64_t first, int64_t n, float* stack) {
  float* top = stack;  // the next free buffer
  for (int64_t step = 0; step < args.n_steps; ++step) {
    const ValueOp op = static_cast<ValueOp>(args.steps[2 * step]);
    const int32_t operands = operand_count(args.steps[2 * step]);
    float* a = top - operands * kBlock;  // the result replaces the first operand
    switch (operands) {
      case 0: push(args, op, args.steps[2 * step + 1], request, first, n, a); break;
      case 1: kernels.unary(op, a, a, n); break;
      case 2: kernels.binary(op, a, a + kBlock, a, n); break;
      default: kernels.ternary(op, a, a + kBlock, a + 2 * kBlock, a, n);
    }
    top = a + kBlock;
  }
  for (int64_t i = 0; i < n; ++i) {
    args.values[first + i] = args.ordinals[first + i] < 0 ? -std::numeric_limits<float>::infinity() : stack[i];
  }
}

size_t workspace(const Context& context, const Args&) {
  return static_cast<size_t>(runtime(context).pool.threads() * kMaxValueStack * kBlock) * sizeof(float);
}

Status run(Context& context, const Args& args, Workspace workspace) {
  bool reads_columns = false;
  if (Status status = check_steps(args, reads_columns); !status.ok()) return status;
  if (reads_columns) {
    if (Status status = check_ordinals(args); !status.ok()) return status;
  }
  const Runtime& cpu = runtime(context);
  const int64_t blocks = (args.candidates + kBlock - 1) / kBlock;
  cpu.pool.parallel_for(args.batch * blocks, [&](int64_t task, int32_t worker) {
    const int64_t request = task / blocks, begin = task % blocks * kBlock;
    evaluate(cpu.simd.floats, args, request, request * args.candidates + begin,
             std::min(kBlock, args.candidates - begin),
             static_cast<float*>(workspace.data) + worker * kMaxValueStack * kBlock);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<ValueModel::Args> entry<ValueModel>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
