#include "ops/merge_top_k.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/select.h"

namespace silverlode::cpu {

namespace {

// Per worker: an open-addressing table from id to its best key and the list that key came from, then the distinct keys.
struct Layout {
  int64_t entries, slots, k;
  RankKey* best;
  int32_t* sources;
  RankKey* keys;
  RankKey* spare;

  Layout(const Context& context, const MergeTopK::Args& args, Carve& carve) {
    const int64_t threads = runtime(context).pool.threads();
    entries = args.lists * args.columns;
    slots = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * entries + 1)));
    k = std::min(args.k, entries);
    best = carve.take<RankKey>(threads * slots);
    sources = carve.take<int32_t>(threads * slots);
    keys = carve.take<RankKey>(threads * entries);
    spare = carve.take<RankKey>(threads * k);
  }
};

size_t workspace(const Context& context, const MergeTopK::Args& args) {
  Carve carve;
  Layout(context, args, carve);
  return carve.bytes();
}

class Table {
 public:
  Table(RankKey* best, int32_t* sources, int64_t slots)
      : best_(best), sources_(sources), mask_(static_cast<uint64_t>(slots) - 1), shift_(std::countl_zero(mask_)) {
    std::fill(best_, best_ + slots, kEmptyKey);
  }

  // Lists come in ascending order, so an equal score leaves the lower one in place. Returns whether the id is new.
  bool offer(RankKey key, int32_t source) {
    const uint64_t slot = find(key_ordinal(key));
    const bool is_new = best_[slot] == kEmptyKey;
    if (key <= best_[slot]) return false;
    best_[slot] = key;
    sources_[slot] = source;
    return is_new;
  }
  int32_t source(uint32_t id) const { return sources_[find(id)]; }

 private:
  uint64_t find(uint32_t id) const {
    uint64_t slot = (id * 0x9e3779b97f4a7c15ull) >> shift_;
    while (best_[slot] != kEmptyKey && key_ordinal(best_[slot]) != id) slot = (slot + 1) & mask_;
    return slot;
  }

  RankKey* best_;
  int32_t* sources_;
  uint64_t mask_;
  int shift_;
};

void merge(const MergeTopK::Args& args, const Layout& layout, int64_t request, int32_t worker) {
  Table table(layout.best + worker * layout.slots, layout.sources + worker * layout.slots, layout.slots);
  const float* scores = args.scores + request * layout.entries;
  const int32_t* ids = args.ids + request * layout.entries;
  RankKey* keys = layout.keys + worker * layout.entries;
  int64_t n = 0;
  bool sorted = true;
  RankKey last = ~RankKey{0};
  for (int64_t list = 0, i = 0; list < args.lists; ++list) {
    for (const int64_t end = i + args.columns; i < end; ++i) {
      if (ids[i] < 0) continue;
      const RankKey key = make_key(scores[i], static_cast<uint32_t>(ids[i]));
      sorted = sorted && key <= last;
      last = key;
      if (table.offer(key, static_cast<int32_t>(list))) keys[n++] = key;
    }
  }

  int64_t count = layout.k;
  if (args.counts != nullptr) count = std::clamp<int64_t>(args.counts[request], 0, count);
  if (!sorted) {  // one list mostly is, and then the first key of an id is its best
    n = std::copy_if(layout.best + worker * layout.slots, layout.best + (worker + 1) * layout.slots, keys,
                     [](RankKey key) { return key != kEmptyKey; }) -
        keys;
    if (n > count && count > 0) select_top(keys, n, count);
    sort_descending(keys, std::min(count, n), layout.spare + worker * layout.k);
  }
  count = std::min(count, n);

  float* out_scores = args.out_scores + request * args.k;
  int32_t* out_ids = args.out_ids + request * args.k;
  int32_t* out_sources = args.out_sources + request * args.k;
  for (int64_t i = 0; i < count; ++i) {
    out_scores[i] = key_score(keys[i]);
    out_ids[i] = static_cast<int32_t>(key_ordinal(keys[i]));
    out_sources[i] = args.lists == 1 ? 0 : table.source(key_ordinal(keys[i]));
  }
  std::fill(out_scores + count, out_scores + args.k, -std::numeric_limits<float>::infinity());
  std::fill(out_ids + count, out_ids + args.k, -1);
  std::fill(out_sources + count, out_sources + args.k, -1);
}

Status run(Context& context, const MergeTopK::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  const Layout layout(context, args, carve);
  runtime(context).pool.parallel_for(args.batch,
                                     [&](int64_t request, int32_t worker) { merge(args, layout, request, worker); });
  return ok_status();
}

}  // namespace

template <>
OpEntry<MergeTopK::Args> entry<MergeTopK>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
