#include "ops/bloom_build.h"

#include <cstring>

#include "backends/cpu/csr_check.h"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cpu {

namespace {

// A block that has terms but no width would lose them.
Status check_widths(const BloomBuild::Args& args) {
  for (int64_t block = 0; block < args.rows / kBlockRows; ++block) {
    const int64_t width = args.offsets[block + 1] - args.offsets[block];
    const int32_t* rows = args.term_offsets + block * kBlockRows;
    if (width > UINT32_MAX || (width == 0 && rows[kBlockRows] > rows[0])) {
      return make_error(Code::kInvalidArgument, "bloom_build: block %lld cannot have width %lld",
                        static_cast<long long>(block), static_cast<long long>(width));
    }
  }
  return ok_status();
}

void build_block(const BloomBuild::Args& args, int64_t block) {
  const int64_t width = args.offsets[block + 1] - args.offsets[block];
  if (width == 0) return;
  uint64_t* words = args.bloom + args.offsets[block] * kBlockWords;
  std::memset(words, 0, static_cast<size_t>(width * kBlockWords) * sizeof(uint64_t));
  for (int64_t row = 0; row < kBlockRows; ++row) {
    const int32_t* entries = args.term_offsets + block * kBlockRows + row;
    const uint64_t bit = uint64_t{1} << (row % 64);
    for (int64_t i = entries[0]; i < entries[1]; ++i) {
      const uint64_t hash = static_cast<uint64_t>(args.term_hashes[args.terms[i]]);
      for (int32_t j = 0; j < args.hashes; ++j) {
        words[bloom_position(hash, j, width) * kBlockWords + row / 64] |= bit;
      }
    }
  }
}

Status run(Context& context, const BloomBuild::Args& args, Workspace) {
  ThreadPool& pool = runtime(context).pool;
  const int64_t blocks = args.rows / kBlockRows;
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(pool, BloomBuild::kName, "term_offsets", args.term_offsets, args.rows, args.n_entries));
  SILVERLODE_RETURN_IF_ERROR(check_offsets(pool, BloomBuild::kName, "offsets", args.offsets, blocks, args.positions));
  SILVERLODE_RETURN_IF_ERROR(check_ids(pool, BloomBuild::kName, "terms", args.terms, args.n_entries, 0, args.n_terms));
  SILVERLODE_RETURN_IF_ERROR(check_widths(args));
  pool.parallel_for(blocks, [&](int64_t block, int32_t) { build_block(args, block); });
  return ok_status();
}

}  // namespace

template <>
OpEntry<BloomBuild::Args> entry<BloomBuild>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
