#include "ops/slice_build.h"

#include "backends/cpu/csr_check.h"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cpu {

namespace {

// Words of one slice that a task owns: it clears and sets them in every slice, so no two tasks share a word.
constexpr int64_t kChunkWords = 64;

void build_words(const SliceBuild::Args& args, int64_t begin, int64_t end) {
  const int64_t words = args.rows / 64;
  for (int64_t slice = 0; slice < args.n_slices; ++slice) {
    std::fill(args.slices + slice * words + begin, args.slices + slice * words + end, 0);
  }
  for (int64_t row = begin * 64; row < end * 64; ++row) {
    for (int64_t i = args.term_offsets[row]; i < args.term_offsets[row + 1]; ++i) {
      const int32_t slice = args.slice_of_term[args.terms[i]];
      if (slice >= 0) args.slices[slice * words + row / 64] |= uint64_t{1} << (row % 64);
    }
  }
}

Status run(Context& context, const SliceBuild::Args& args, Workspace) {
  ThreadPool& pool = runtime(context).pool;
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(pool, SliceBuild::kName, "term_offsets", args.term_offsets, args.rows, args.n_entries));
  SILVERLODE_RETURN_IF_ERROR(check_ids(pool, SliceBuild::kName, "terms", args.terms, args.n_entries, 0, args.n_terms));
  SILVERLODE_RETURN_IF_ERROR(
      check_ids(pool, SliceBuild::kName, "slice_of_term", args.slice_of_term, args.n_terms, -1, args.n_slices));
  const int64_t words = args.rows / 64;
  pool.parallel_for((words + kChunkWords - 1) / kChunkWords, [&](int64_t chunk, int32_t) {
    build_words(args, chunk * kChunkWords, std::min(words, (chunk + 1) * kChunkWords));
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<SliceBuild::Args> entry<SliceBuild>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
