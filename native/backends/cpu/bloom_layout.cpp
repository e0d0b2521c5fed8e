#include "ops/bloom_layout.h"

#include <cmath>

#include "backends/cpu/csr_check.h"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cpu {

namespace {

int64_t block_width(const int32_t* term_offsets, double bits_per_term) {
  int32_t loads[kBlockRows];
  int64_t n = 0;
  for (int64_t row = 0; row < kBlockRows; ++row) {
    const int32_t load = term_offsets[row + 1] - term_offsets[row];
    if (load > 0) loads[n++] = load;
  }
  if (n == 0) return 0;
  const int64_t rank = (n * 95 + 99) / 100 - 1;
  std::nth_element(loads, loads + rank, loads + n);
  const double width = std::ceil(bits_per_term * static_cast<double>(loads[rank]));
  return static_cast<int64_t>(
      std::clamp(width, static_cast<double>(kMinBloomWidth), static_cast<double>(kMaxBloomWidth)));
}

Status run(Context& context, const BloomLayout::Args& args, Workspace) {
  ThreadPool& pool = runtime(context).pool;
  SILVERLODE_RETURN_IF_ERROR(check_offsets(pool, BloomLayout::kName, "term_offsets", args.term_offsets, args.rows,
                                           args.term_offsets[args.rows]));
  const int64_t blocks = args.rows / kBlockRows;
  pool.parallel_for(blocks, [&](int64_t block, int32_t) {
    args.offsets[block + 1] = block_width(args.term_offsets + block * kBlockRows, args.bits_per_term);
  });
  args.offsets[0] = 0;
  for (int64_t block = 0; block < blocks; ++block) args.offsets[block + 1] += args.offsets[block];
  return ok_status();
}

}  // namespace

template <>
OpEntry<BloomLayout::Args> entry<BloomLayout>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
