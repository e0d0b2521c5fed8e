// Deferred acceptance (Gale and Shapley): a row asks its choices in order; a full cluster refuses, or drops for it, the
// row that loses least. The result is the same for every order of asking, so rows simply come one by one. O(N m log
// cap).
#include <algorithm>
#include <functional>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "core/order.h"
#include "ops/balance_clusters.h"

namespace silverlode::cpu {
namespace {

constexpr int64_t kPollRows = 1 << 16;

struct Scratch {
  RankKey* members;  // (loss, row) of each cluster's rows; in a full cluster a heap with the row to drop first on top
  int64_t* begins;   // [C] where a cluster's members begin
  int32_t* sizes;    // [C]
  uint64_t* loads;   // [C] heap for rows without a place

  Scratch(Carve& carve, const BalanceClusters::Args& args)
      : members(carve.take<RankKey>(
            std::min(args.n_rows * args.choices, args.n_clusters * std::min(args.cap, args.n_rows)))),
        begins(carve.take<int64_t>(args.n_clusters)),
        sizes(carve.take<int32_t>(args.n_clusters)),
        loads(carve.take<uint64_t>(args.n_clusters)) {}
};

Status check_nearest(const BalanceClusters::Args& args) {
  for (int64_t i = 0; i < args.n_rows * args.choices; ++i) {
    const int32_t cluster = args.nearest[i];
    if (cluster >= -1 && cluster < args.n_clusters) continue;
    return make_error(Code::kInvalidArgument, "%s: row %lld has choice %d, outside [-1, %lld)", BalanceClusters::kName,
                      static_cast<long long>(i / args.choices), cluster, static_cast<long long>(args.n_clusters));
  }
  return ok_status();
}

// Room for every row that names a cluster, at most `cap`.
void place_clusters(const BalanceClusters::Args& args, const Scratch& scratch) {
  std::fill_n(scratch.begins, args.n_clusters, 0);
  for (int64_t i = 0; i < args.n_rows * args.choices; ++i) {
    if (args.nearest[i] >= 0) ++scratch.begins[args.nearest[i]];
  }
  int64_t begin = 0;
  for (int64_t c = 0; c < args.n_clusters; ++c) {
    const int64_t room = std::min(scratch.begins[c], args.cap);
    scratch.begins[c] = begin;
    scratch.sizes[c] = 0;
    begin += room;
  }
}

bool is_choice(const BalanceClusters::Args& args, int64_t row, int64_t choice) {
  return choice < args.choices && args.nearest[row * args.choices + choice] >= 0;
}

float loss(const BalanceClusters::Args& args, int64_t row, int64_t choice) {
  if (!is_choice(args, row, choice + 1)) return std::numeric_limits<float>::infinity();
  const float* scores = args.scores + row * args.choices + choice;
  return scores[0] - scores[1];
}

// Lets `row` ask from its first choice on, and every row that it displaces from that row's next one on. Meanwhile
// args.clusters holds the choice of each placed row, -1 for a row without a place.
void place_row(const BalanceClusters::Args& args, const Scratch& scratch, int64_t row) {
  for (int64_t choice = 0; is_choice(args, row, choice); ++choice) {
    const int32_t cluster = args.nearest[row * args.choices + choice];
    const RankKey key = make_key(loss(args, row, choice), static_cast<uint32_t>(row));
    RankKey* members = scratch.members + scratch.begins[cluster];
    int32_t& size = scratch.sizes[cluster];
    if (size < args.cap) {
      members[size++] = key;
      if (size == args.cap) std::make_heap(members, members + size, std::greater<>());
      args.clusters[row] = static_cast<int32_t>(choice);
      return;
    }
    if (key < members[0]) continue;
    args.clusters[row] = static_cast<int32_t>(choice);
    std::pop_heap(members, members + size, std::greater<>());
    row = key_ordinal(members[size - 1]);
    choice = args.clusters[row];
    args.clusters[row] = -1;
    members[size - 1] = key;
    std::push_heap(members, members + size, std::greater<>());
  }
}

// Turns choices into clusters; rows without a place take the least loaded cluster, lowest id.
void finish(const BalanceClusters::Args& args, const Scratch& scratch) {
  uint64_t* loads = scratch.loads;
  uint64_t* end = loads + args.n_clusters;
  for (int64_t c = 0; c < args.n_clusters; ++c) {
    loads[c] = (static_cast<uint64_t>(scratch.sizes[c]) << 32) | static_cast<uint64_t>(c);
  }
  std::make_heap(loads, end, std::greater<>());
  for (int64_t row = 0; row < args.n_rows; ++row) {
    int32_t& cluster = args.clusters[row];
    if (cluster >= 0) {
      cluster = args.nearest[row * args.choices + cluster];
      continue;
    }
    std::pop_heap(loads, end, std::greater<>());
    cluster = static_cast<int32_t>(end[-1] & 0xffffffffu);
    end[-1] += uint64_t{1} << 32;
    std::push_heap(loads, end, std::greater<>());
  }
}

Status run(Context& context, const BalanceClusters::Args& args, Workspace workspace) {
  if (Status status = check_nearest(args); !status.ok()) return status;
  Carve carve(workspace.data);
  const Scratch scratch(carve, args);
  place_clusters(args, scratch);
  std::fill_n(args.clusters, args.n_rows, -1);
  for (int64_t row = 0; row < args.n_rows; ++row) {
    if (row % kPollRows == 0 && context.cancelled()) {
      return make_error(Code::kAborted, "%s was cancelled", BalanceClusters::kName);
    }
    place_row(args, scratch, row);
  }
  finish(args, scratch);
  return ok_status();
}

size_t workspace(const Context&, const BalanceClusters::Args& args) {
  Carve carve;
  const Scratch scratch(carve, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<BalanceClusters::Args> entry<BalanceClusters>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
