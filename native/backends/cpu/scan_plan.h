// What an ivf_scan reads: its lists of clusters per query turned into lists of queries per cluster, cut into tiles of rows
// that threads take one by one. Not an op.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "backends/carve.h"
#include "ops/ivf_scan.h"

namespace silverlode::cpu {

constexpr int64_t kWordRows = 64;
constexpr int64_t kTileWords = 16;

// Up to kTileWords mask words of one cluster, or of clusters that follow each other and are probed by the same queries.
struct ScanTile {
  int32_t slot;  // of the first cluster
  int32_t first_word;
  int32_t n_words;
};

inline bool are_equal(std::span<const int32_t> a, std::span<const int32_t> b) {
  return a.size() == b.size() && (a.data() == b.data() || std::equal(a.begin(), a.end(), b.begin()));
}

// Which clusters each query scans: entries [begin, end) of its row of `clusters`, from 0 where `begin` is null.
struct ScanLists {
  const int32_t* clusters;  // [queries, C]
  const int32_t* begin;     // [queries]
  const int32_t* end;       // [queries]
  int64_t n_clusters;

  std::span<const int32_t> of(int64_t query) const {
    const int32_t first = begin == nullptr ? 0 : begin[query];
    return {clusters + query * n_clusters + first, static_cast<size_t>(end[query] - first)};
  }
};

class ScanPlan {
 public:
  // Takes memory by the sizes in Args alone.
  ScanPlan(const IvfScan::Args& args, Carve& carve);

  // Fills the plan from lists, whose entries are checked on the way. May be called again, for other lists.
  Status build(const IvfScan::Args& args, const ScanLists& lists);

  std::span<const ScanTile> tiles() const { return {tiles_, static_cast<size_t>(n_tiles_)}; }
  // request * heads + head of those that probe it, ascending.
  std::span<const int32_t> queries(const ScanTile& tile) const { return queries(slots_[tile.slot]); }
  // Of all tiles.
  int64_t words() const { return words_; }
  // Rows times queries over all tiles.
  int64_t pairs() const { return pairs_; }

 private:
  // A probed cluster and the range of its queries in members_.
  struct Slot {
    int64_t begin;
    int64_t end;
    int32_t cluster;
  };

  std::span<const int32_t> queries(const Slot& slot) const {
    return {members_ + slot.begin, static_cast<size_t>(slot.end - slot.begin)};
  }
  void share_members(int64_t queries);
  void list_members(const IvfScan::Args& args, const ScanLists& lists);
  void add_tiles(const Slot& slot, int64_t word, int64_t end);

  int32_t* slot_of_;  // [C] slot of a probed cluster, else -1
  Slot* slots_;       // in order of first appearance, best ranks first
  int32_t* members_;
  ScanTile* tiles_;
  int64_t n_slots_ = 0;
  int64_t n_tiles_ = 0;
  int64_t words_ = 0;
  int64_t pairs_ = 0;
};

}  // namespace silverlode::cpu
