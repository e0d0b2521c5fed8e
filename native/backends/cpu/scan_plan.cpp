#include "backends/cpu/scan_plan.h"

#include <algorithm>

#include "ops/check.h"

namespace silverlode::cpu {

ScanPlan::ScanPlan(const IvfScan::Args& args, Carve& carve) {
  const int64_t queries = args.batch * args.heads;
  slot_of_ = carve.take<int32_t>(args.n_clusters);
  slots_ = carve.take<Slot>(args.n_clusters);
  members_ = carve.take<int32_t>(queries * args.n_clusters);
  tiles_ = carve.take<ScanTile>(args.n_clusters + args.n_rows / (kTileWords * kWordRows) + 1);
}

namespace {

bool has_valid_bounds(const IvfScan::Args& args, int32_t cluster) {
  const int32_t begin = args.cluster_begin[cluster];
  const int32_t end = args.cluster_begin[cluster + 1];
  return begin >= 0 && begin <= end && end <= args.n_rows && begin % kWordRows == 0 && end % kWordRows == 0;
}

Status bad_bounds(const IvfScan::Args& args, int32_t cluster) {
  return make_error(Code::kInvalidArgument, "%s: cluster %d has rows [%d, %d): not multiples of 64 within %lld",
                    IvfScan::kName, cluster, args.cluster_begin[cluster], args.cluster_begin[cluster + 1],
                    static_cast<long long>(args.n_rows));
}

}  // namespace

namespace {

bool is_scanned(const IvfScan::Args& args, int64_t query) {
  return std::min<int64_t>(args.limits[query / args.heads], args.k) > 0;
}

// Whether all queries list the same clusters in the same order, as those of one strict filter do.
bool lists_are_equal(const IvfScan::Args& args, const ScanLists& lists) {
  const int64_t queries = args.batch * args.heads;
  for (int64_t query = 0; query < queries; ++query) {
    if (!is_scanned(args, query) || !are_equal(lists.of(query), lists.of(0))) return false;
  }
  return queries > 0;
}

}  // namespace

Status ScanPlan::build(const IvfScan::Args& args, const ScanLists& lists) {
  n_slots_ = n_tiles_ = words_ = pairs_ = 0;
  const bool equal = lists_are_equal(args, lists);
  const int64_t queries = equal ? 1 : args.batch * args.heads;
  int64_t ranks = 0;
  for (int64_t query = 0; query < queries; ++query) {
    if (is_scanned(args, query)) ranks = std::max(ranks, static_cast<int64_t>(lists.of(query).size()));
  }

  // Rank by rank, so that every query's nearest clusters come early and raise its bar for the rest.
  std::fill(slot_of_, slot_of_ + args.n_clusters, -1);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    for (int64_t query = 0; query < queries; ++query) {
      const std::span<const int32_t> listed = lists.of(query);
      if (rank >= static_cast<int64_t>(listed.size()) || !is_scanned(args, query)) continue;
      const int32_t cluster = listed[static_cast<size_t>(rank)];
      if (cluster < 0 || cluster >= args.n_clusters) {
        return make_error(Code::kInvalidArgument, "%s: cluster %d of query %lld is outside [0, %lld)", IvfScan::kName,
                          cluster, static_cast<long long>(query), static_cast<long long>(args.n_clusters));
      }
      if (slot_of_[cluster] < 0) {
        if (!has_valid_bounds(args, cluster)) return bad_bounds(args, cluster);
        slot_of_[cluster] = static_cast<int32_t>(n_slots_);
        slots_[n_slots_++] = {.begin = 0, .end = 0, .cluster = cluster};
      }
      ++slots_[slot_of_[cluster]].end;
    }
  }

  if (equal) {
    share_members(args.batch * args.heads);
  } else {
    list_members(args, lists);
  }
  for (int64_t slot = 0; slot < n_slots_; ++slot) {
    const int32_t* bounds = args.cluster_begin + slots_[slot].cluster;
    add_tiles(slots_[slot], bounds[0] / kWordRows, bounds[1] / kWordRows);
  }
  return ok_status();
}

// All queries probe every slot.
void ScanPlan::share_members(int64_t queries) {
  for (int64_t query = 0; query < queries; ++query) members_[query] = static_cast<int32_t>(query);
  for (int64_t slot = 0; slot < n_slots_; ++slot) slots_[slot].end = queries;
}

// Turns the lists around; until now the slots hold how often they are listed.
void ScanPlan::list_members(const IvfScan::Args& args, const ScanLists& lists) {
  int64_t members = 0;
  for (int64_t slot = 0; slot < n_slots_; ++slot) {
    const int64_t listed = slots_[slot].end;
    slots_[slot].begin = members;
    slots_[slot].end = members;
    members += listed;
  }
  for (int64_t query = 0; query < args.batch * args.heads; ++query) {
    if (!is_scanned(args, query)) continue;
    for (const int32_t cluster : lists.of(query)) {
      Slot& slot = slots_[slot_of_[cluster]];
      // A cluster listed twice must not return its rows twice.
      if (slot.end > slot.begin && members_[slot.end - 1] == query) continue;
      members_[slot.end++] = static_cast<int32_t>(query);
    }
  }
}

void ScanPlan::add_tiles(const Slot& slot, int64_t word, int64_t end) {
  words_ += end - word;
  pairs_ += (end - word) * kWordRows * (slot.end - slot.begin);
  if (n_tiles_ > 0) {
    ScanTile& last = tiles_[n_tiles_ - 1];
    if (last.first_word + last.n_words == word && are_equal(queries(slot), queries(last))) {
      const int64_t words = std::min(kTileWords - last.n_words, end - word);
      last.n_words += static_cast<int32_t>(words);
      word += words;
    }
  }
  for (; word < end; word += kTileWords) {
    tiles_[n_tiles_++] = {.slot = static_cast<int32_t>(&slot - slots_),
                          .first_word = static_cast<int32_t>(word),
                          .n_words = static_cast<int32_t>(std::min(kTileWords, end - word))};
  }
}

}  // namespace silverlode::cpu
