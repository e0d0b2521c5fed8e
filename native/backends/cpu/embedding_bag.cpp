#include <algorithm>

#include "backends/cpu/backend.h"
#include "ops/embedding_bag.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kBlock = 256;  // half-precision elements widened at once
constexpr int64_t kTaskElements = 1 << 14;

Status check(const EmbeddingBag::Args& args) {
  if (args.bags == 0 && args.n_ids > 0) {
    return make_error(Code::kInvalidArgument, "embedding_bag: %lld ids but no bags",
                      static_cast<long long>(args.n_ids));
  }
  int64_t start = 0;
  for (int64_t bag = 0; bag < args.bags; ++bag) {
    const int64_t offset = args.offsets[bag];
    if (offset < start || offset > args.n_ids || (bag == 0 && offset != 0)) {
      return make_error(Code::kInvalidArgument,
                        "embedding_bag: offsets must ascend from 0 to at most %lld, but offsets[%lld] is %lld",
                        static_cast<long long>(args.n_ids), static_cast<long long>(bag),
                        static_cast<long long>(offset));
    }
    start = offset;
  }
  for (int64_t i = 0; i < args.n_ids; ++i) {
    if (args.ids[i] < 0 || args.ids[i] >= args.vocabulary) {
      return make_error(Code::kInvalidArgument, "embedding_bag: ids[%lld] is %d, outside a table of %lld rows",
                        static_cast<long long>(i), args.ids[i], static_cast<long long>(args.vocabulary));
    }
  }
  return ok_status();
}

void add(const FloatKernels& kernels, const float* row, const float* weight, float* y, int64_t n) {
  if (weight != nullptr) {
    kernels.add_scaled(row, *weight, y, n);
  } else {
    kernels.binary(ValueOp::kAdd, y, row, y, n);
  }
}

// y += weight * table[id]
void add_row(const FloatKernels& kernels, const EmbeddingBag::Args& args, int64_t id, const float* weight, float* y) {
  if (args.table_dtype == DType::kF32) {
    return add(kernels, static_cast<const float*>(args.table) + id * args.dim, weight, y, args.dim);
  }
  const auto widen = args.table_dtype == DType::kF16 ? kernels.widen_f16 : kernels.widen_bf16;
  const uint16_t* row = static_cast<const uint16_t*>(args.table) + id * args.dim;
  float widened[kBlock];
  for (int64_t first = 0; first < args.dim; first += kBlock) {
    const int64_t n = std::min(kBlock, args.dim - first);
    widen(row + first, widened, n);
    add(kernels, widened, weight, y + first, n);
  }
}

void reduce(const FloatKernels& kernels, const EmbeddingBag::Args& args, int64_t bag) {
  const int64_t first = args.offsets[bag];
  const int64_t end = bag + 1 < args.bags ? args.offsets[bag + 1] : args.n_ids;
  float* y = args.y + bag * args.dim;
  std::fill(y, y + args.dim, 0.0f);
  if (first == end) return;
  float total = 0;
  for (int64_t i = first; i < end; ++i) {
    add_row(kernels, args, args.ids[i], args.weights == nullptr ? nullptr : args.weights + i, y);
    if (args.weights != nullptr) total += args.weights[i];
  }
  if (args.mode == EmbeddingBag::Mode::kSum) return;
  if (args.weights == nullptr) total = static_cast<float>(end - first);
  for (int64_t d = 0; d < args.dim; ++d) y[d] /= total;
}

Status run(Context& context, const EmbeddingBag::Args& args, Workspace) {
  if (Status status = check(args); !status.ok()) return status;
  if (args.bags == 0) return ok_status();
  const FloatKernels& kernels = runtime(context).simd.floats;
  const int64_t bag_elements = (args.n_ids / args.bags + 1) * args.dim;
  const int64_t step = kTaskElements / std::max<int64_t>(bag_elements, 1) + 1;
  runtime(context).pool.parallel_for((args.bags + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = std::min(args.bags, task * step + step);
    for (int64_t bag = task * step; bag < end; ++bag) reduce(kernels, args, bag);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<EmbeddingBag::Args> entry<EmbeddingBag>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
