#include <cstring>

#include "backends/cpu/backend.h"
#include "ops/concat.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskBytes = 1 << 17;

Status run(Context& context, const Concat::Args& args, Workspace) {
  int64_t width = 0;
  for (int32_t i = 0; i < args.n_inputs; ++i) width += args.row_bytes[i];
  if (width == 0) return ok_status();
  const int64_t step = kTaskBytes / width + 1;
  runtime(context).pool.parallel_for((args.rows + step - 1) / step, [&](int64_t task, int32_t) {
    const int64_t end = task * step + step < args.rows ? task * step + step : args.rows;
    uint8_t* to = args.y + task * step * width;
    for (int64_t row = task * step; row < end; ++row) {
      for (int32_t i = 0; i < args.n_inputs; ++i) {
        if (args.row_bytes[i] == 0) continue;  // its pointer may be null
        std::memcpy(to, args.x[i] + row * args.row_bytes[i], static_cast<size_t>(args.row_bytes[i]));
        to += args.row_bytes[i];
      }
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<Concat::Args> entry<Concat>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cpu
