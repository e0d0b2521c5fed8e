#include "ops/rescore.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskNumbers = 64 * 1024;  // worth waking a thread for
constexpr int64_t kAhead = 8;                // rows on their way

// The partial sums of the contract.
template <class Value>
struct Sums {
  Value lanes[Rescore::kLanes] = {};

  Value total() {
    for (int64_t half = Rescore::kLanes / 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
  }
};

// The sum of term(a, b) over all dimensions.
template <class Value, class Term>
Value sum_of(const float* a, const float* b, int64_t dim, const Term& term) {
  Sums<Value> sums;
  int64_t d = 0;
  for (; d + Rescore::kLanes <= dim; d += Rescore::kLanes) {
    for (int64_t i = 0; i < Rescore::kLanes; ++i) {
      const Value value = term(a[d + i], b[d + i]);
      sums.lanes[i] += value;
    }
  }
  for (int64_t i = 0; d + i < dim; ++i) {
    const Value value = term(a[d + i], b[d + i]);
    sums.lanes[i] += value;
  }
  return sums.total();
}

float product(float a, float b) { return a * b; }

double exact_product(float a, float b) { return static_cast<double>(a) * b; }

float squared_difference(float a, float b) {
  const float difference = a - b;
  return difference * difference;
}

float best_over_heads(const Rescore::Args& args, int64_t request, const float* row) {
  double length = 0;
  if (args.metric == Metric::kCosine) length = std::sqrt(sum_of<double>(row, row, args.dim, exact_product));
  float best = -std::numeric_limits<float>::infinity();
  for (int64_t h = request * args.heads; h < (request + 1) * args.heads; ++h) {
    const float* user = args.users + h * args.dim;
    const float sum = args.metric == Metric::kL2 ? sum_of<float>(user, row, args.dim, squared_difference)
                                                 : sum_of<float>(user, row, args.dim, product);
    const float score = Rescore::score_of(args.metric, sum, length);
    best = score > best ? score : best;
  }
  return best;
}

struct Rows {
  Rows(const Rescore::Args& args)
      : bytes(args.dim * (args.half ? 2 : 4)), data(static_cast<const char*>(args.vectors)) {}

  const char* at(int64_t row) const { return data + row * bytes; }
  void fetch(int64_t row) const {
    for (int64_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(at(row) + byte);
  }

  int64_t bytes;
  const char* data;
};

size_t workspace(const Context& context, const Rescore::Args& args) {
  Carve carve;
  carve.take<float>(runtime(context).pool.threads() * args.dim);
  return carve.bytes();
}

Status run(Context& context, const Rescore::Args& args, Workspace workspace) {
  const int64_t n = args.batch * args.candidates;
  for (int64_t i = 0; i < n; ++i) {
    if (args.index[i] < -1 || args.index[i] >= args.rows) {
      return make_error(Code::kInvalidArgument, "%s: row %d at position %lld is not in [-1, %lld)", Rescore::kName,
                        args.index[i], static_cast<long long>(i), static_cast<long long>(args.rows));
    }
  }
  Carve carve(workspace.data);
  float* widened = carve.take<float>(runtime(context).pool.threads() * args.dim);
  const FloatKernels& kernels = runtime(context).simd.floats;
  const Rows rows(args);
  const auto score_range = [&](int64_t first, int64_t end, int32_t worker) {
    float* wide = widened + worker * args.dim;
    for (int64_t i = first; i < end; ++i) {
      if (i + kAhead < end && args.index[i + kAhead] >= 0) rows.fetch(args.index[i + kAhead]);
      if (args.index[i] < 0) {
        args.scores[i] = -std::numeric_limits<float>::infinity();
        continue;
      }
      const char* row = rows.at(args.index[i]);
      if (args.half) kernels.widen_f16(reinterpret_cast<const uint16_t*>(row), wide, args.dim);
      args.scores[i] =
          best_over_heads(args, i / args.candidates, args.half ? wide : reinterpret_cast<const float*>(row));
    }
  };
  const int64_t step = std::max<int64_t>(1, kTaskNumbers / std::max<int64_t>(1, args.dim * args.heads));
  runtime(context).pool.parallel_for((n + step - 1) / step, [&](int64_t task, int32_t worker) {
    score_range(task * step, std::min(n, (task + 1) * step), worker);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<Rescore::Args> entry<Rescore>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
