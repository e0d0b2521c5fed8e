#include "ops/gather_rows.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/backend.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskBytes = 256 * 1024;  // less copying than this is not worth a task of its own

// A constant size lets the compiler turn the copy into a load and a store.
template <int64_t kBytes>
void copy_row(uint8_t* to, const uint8_t* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(kBytes > 0 ? kBytes : bytes));
}

void fill_missing(uint8_t* row, int64_t bytes, int32_t missing) {
  if (missing == 0) {
    std::memset(row, 0, static_cast<size_t>(bytes));
    return;
  }
  for (int64_t at = 0; at < bytes; at += 4) std::memcpy(row + at, &missing, 4);
}

// Rows [begin, end) of the result, counted over all batch entries.
template <int64_t kBytes>
void gather(const GatherRows::Args& args, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = row / args.index_rows * args.table_rows;
    uint8_t* to = args.rows + row * args.row_bytes;
    if (args.index[row] < 0) {
      fill_missing(to, args.row_bytes, args.missing);
    } else if (args.index[row] < args.table_rows) {
      copy_row<kBytes>(to, args.table + (first + args.index[row]) * args.row_bytes, args.row_bytes);
    } else {
      copy_row<kBytes>(to, args.tail + (args.index[row] - args.table_rows) * args.row_bytes, args.row_bytes);
    }
  }
}

Status check_index(const GatherRows::Args& args) {
  const int64_t n = args.batch * args.index_rows;
  int32_t highest = -1;
  for (int64_t i = 0; i < n; ++i) highest = std::max(highest, args.index[i]);
  const int64_t table_rows = args.table_rows + args.tail_rows;
  if (highest < table_rows) return ok_status();
  int64_t bad = 0;
  while (args.index[bad] < table_rows) ++bad;
  return make_error(Code::kInvalidArgument, "%s: index %d at position %lld is outside a table of %lld rows",
                    GatherRows::kName, args.index[bad], static_cast<long long>(bad),
                    static_cast<long long>(table_rows));
}

Status run(Context& context, const GatherRows::Args& args, Workspace) {
  const Status status = check_index(args);
  if (!status.ok() || args.row_bytes == 0) return status;
  const auto gather_any = args.row_bytes == 4 ? gather<4> : args.row_bytes == 8 ? gather<8> : gather<0>;
  const int64_t rows = args.batch * args.index_rows;
  const int64_t step = std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, args.row_bytes));
  runtime(context).pool.parallel_for((rows + step - 1) / step, [&](int64_t task, int32_t) {
    gather_any(args, task * step, std::min(rows, (task + 1) * step));
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<GatherRows::Args> entry<GatherRows>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
