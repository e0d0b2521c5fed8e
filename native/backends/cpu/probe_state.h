// What ivf_probe keeps while it runs: all of it lives in the op's workspace.
#pragma once

#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/filter_words.h"
#include "core/order.h"
#include "ops/ivf_probe.h"

namespace silverlode::cpu {

// What a list of clusters with an eligible row holds.
struct FilledClusters {
  int32_t listed = 0;
  int64_t eligible = 0;
};

// Requests with the same plan and the same `exact` share what is known of each cluster, and one mask row, `owner`: that of
// the first of them without excludes, or else of the first, or a row of the group's own (ProbeState::first_shared).
struct ProbeGroup {
  int32_t plan;
  int32_t owner;
  bool exact;
  bool everything;        // some request looks at every cluster: all are asked for in the first round
  bool waiting;           // some head asked for clusters in this round
  FilledClusters filled;  // where all are asked for
};

struct ProbeRequest {
  int32_t group;                       // -1: no plan
  int32_t exclude_begin, exclude_end;  // into ProbeState::excluded, which is sorted within a request
  bool excludes() const { return exclude_begin < exclude_end; }
};

// A head walks through the clusters, nearest first, in chunks: what [seen, asked) needs is evaluated, then it is looked at.
struct ProbeHead {
  int32_t ranked;                                        // this many of the head's keys are final
  int32_t filled = std::numeric_limits<int32_t>::max();  // keys from here on are of clusters without an eligible row
  int32_t seen;                                          // clusters looked at
  int32_t asked;                                         // clusters asked for
  int32_t listed;
  int32_t listed_before;  // this round
  int64_t eligible;
  int64_t asked_words;  // size of the chunk
  // Kept where a search decides when to stop: rows of the clusters seen, and what this round added.
  int64_t rows, rows_round, eligible_round;
  bool done;
};

struct ProbeState {
  ProbeState(const Context& context, const IvfProbe::Args& args, Carve& carve);

  RankKey* keys;           // [batch, heads, C] score and id of every cluster
  RankKey* scratch;        // [threads, C]
  ProbeHead* heads;        // [batch, heads]
  ProbeRequest* requests;  // [batch]
  int32_t* excluded;       // [n_exclude]
  int32_t* links;          // [total_steps]
  uint8_t* looked;         // [batch, C] for the stats
  int32_t* group_of_plan;  // [plans, 2]
  ProbeGroup* groups;      // at most one per request, as are the next tables' rows
  uint8_t* round_of;       // [groups, C] the round a cluster was asked for in, 0 for never
  int32_t* eligible;       // [groups, C] rows that satisfy the plan
  int32_t* doubtful;       // [groups, C]
  int32_t* filled;         // [groups, C] ids of clusters with an eligible row, ascending
  int32_t n_groups = 0;
  int32_t first_shared = -1;  // mask row of the first group, where groups have rows behind those of the requests
  const float* allowed_misses = nullptr;  // [batch] of a search

  // Whether a request stops by the search's word.
  bool is_adaptive(int64_t request) const { return allowed_misses != nullptr && allowed_misses[request] >= 0.0f; }
};

// Lists every cluster with an eligible row, ascending; `clusters` has room for all.
template <class EligibleIn>
FilledClusters list_filled(int64_t n_clusters, const EligibleIn& eligible_in, int32_t* clusters) {
  FilledClusters filled;
  for (int64_t c = 0; c < n_clusters; ++c) {
    const int64_t eligible = eligible_in(c);
    clusters[filled.listed] = static_cast<int32_t>(c);
    filled.listed += eligible > 0;
    filled.eligible += eligible;
  }
  return filled;
}

// Clusters as ranges of mask words.
struct WordRange {
  int64_t begin, end;
};

inline WordRange cluster_words(const IvfProbe::Args& args, int64_t cluster) {
  return {args.cluster_begin[cluster] / 64, args.cluster_begin[cluster + 1] / 64};
}

// The mask row that holds a request's rows before its excludes: its group's, or `live`.
inline const uint64_t* shared_mask(const IvfProbe::Args& args, const ProbeState& state, int64_t request) {
  const int32_t group = state.requests[request].group;
  return group < 0 ? args.live : args.mask + state.groups[group].owner * args.words;
}

// What only the data can tell is wrong; `op` names it in messages.
Status check_probe(const char* op, const IvfProbe::Args& args);

// Sorts excludes and forms groups.
void prepare_requests(Context& context, const IvfProbe::Args& args, ProbeState& state);

// Evaluates the clusters asked for in `round`: mask words and counts of every group.
void evaluate_round(Context& context, const IvfProbe::Args& args, ProbeState& state, uint8_t round);

// Rows of a cluster that are excluded from a request though its plan holds for them.
int64_t excluded_in(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster);

// The mask words of a cluster for a request with excludes, where groups have mask rows of their own.
void mask_cluster(const IvfProbe::Args& args, const ProbeState& state, int64_t request, int64_t cluster);

// Mask rows of requests with excludes, and mask_of; `looked` must be filled (kListed).
void finish_masks(Context& context, const IvfProbe::Args& args, ProbeState& state);

constexpr uint8_t kSeen = 1;
constexpr uint8_t kListed = 2;

}  // namespace silverlode::cpu
