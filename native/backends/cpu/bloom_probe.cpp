#include "ops/bloom_probe.h"

#include "backends/cpu/csr_check.h"
#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kChunkBlocks = 256;

void probe_block(const BloomProbe::Args& args, uint64_t hash, int64_t block, uint64_t* hits) {
  const int64_t width = args.offsets[block + 1] - args.offsets[block];
  const uint64_t* words = args.bloom + args.offsets[block] * kBlockWords;
  std::fill(hits, hits + kBlockWords, width > 0 ? ~uint64_t{0} : 0);
  for (int32_t j = 0; width > 0 && j < args.hashes; ++j) {
    const uint64_t* position = words + bloom_position(hash, j, width) * kBlockWords;
    for (int64_t i = 0; i < kBlockWords; ++i) hits[i] &= position[i];
  }
}

Status run(Context& context, const BloomProbe::Args& args, Workspace) {
  ThreadPool& pool = runtime(context).pool;
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(pool, BloomProbe::kName, "offsets", args.offsets, args.blocks, args.positions));
  for (int64_t block = 0; block < args.blocks; ++block) {
    if (args.offsets[block + 1] - args.offsets[block] > UINT32_MAX) {
      return make_error(Code::kInvalidArgument, "bloom_probe: a block is too wide");
    }
  }
  const int64_t chunks = (args.blocks + kChunkBlocks - 1) / kChunkBlocks;
  pool.parallel_for(args.n_terms * chunks, [&](int64_t task, int32_t) {
    const int64_t term = task / chunks;
    const int64_t begin = task % chunks * kChunkBlocks;
    const int64_t end = std::min(args.blocks, begin + kChunkBlocks);
    for (int64_t block = begin; block < end; ++block) {
      probe_block(args, static_cast<uint64_t>(args.term_hashes[term]), block,
                  args.hits + (term * args.blocks + block) * kBlockWords);
    }
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<BloomProbe::Args> entry<BloomProbe>() {
  return {.run = run};
}

}  // namespace silverlode::cpu
