// Walking through clusters, nearest first, with the filter evaluated on what is looked at: the part that ivf_probe and
// ivf_search share. Not an op.
#pragma once

#include "backends/carve.h"
#include "backends/cpu/cluster_spread.h"
#include "backends/cpu/probe_state.h"

namespace silverlode::cpu {

class Probe {
 public:
  // `rounds` says how clusters rank in a search and how far a round goes; null for ivf_probe.
  Probe(Context& context, const IvfProbe::Args& args, ProbeState& state, const SearchRounds* rounds = nullptr);

  // Excludes, groups, and the score of every centroid.
  void begin();
  bool all_done() const;
  // Every head that is not done gets its next clusters: they are evaluated and listed. [listed_before, listed) of the head's
  // list are new.
  void next_round();
  // counts and stats.
  void finish();

  int64_t eligible_in(int64_t request, int64_t cluster) const;
  ProbeHead& head(int64_t h) const { return state_.heads[h]; }
  // Whether the heads of a request stop by the search's word.
  bool is_adaptive(int64_t request) const;

 private:
  // 0: every cluster with an eligible row.
  int64_t probes(int64_t request) const;
  RankKey* keys(int64_t head) const { return state_.keys + head * args_.n_clusters; }
  int64_t cluster_at(int64_t head, int64_t i) const;
  void score_clusters();
  bool any_ranks(int64_t first, int64_t last) const;
  void score_tile(int64_t first, int64_t n_queries, int64_t cluster, int64_t n);
  void score_part(const int32_t* dots, int64_t head, int64_t cluster, int64_t n, const Scoring& scoring);
  float query_norm(const int8_t* query, float scale) const;
  void ask_next(int64_t h, int32_t worker);
  void take_filled(int64_t h, int64_t request, ProbeHead& head);
  void look(int64_t h, int32_t worker);
  int64_t live_in(int64_t cluster) const;
  int64_t live_in(const WordRange& words) const;
  int64_t live_rows() const;
  int64_t next_chunk(int64_t request, const ProbeHead& head) const;
  void ask(int64_t h, int64_t request, ProbeHead& head);
  void rank(RankKey* keys, ProbeHead& head, int32_t worker) const;
  void rank_rest(int64_t h, int64_t request, ProbeHead& head, int32_t worker) const;
  void finish_request(int64_t request);
  void finish_head(int64_t request);
  void list_clusters(int64_t request);

  Context& context_;
  const IvfProbe::Args& args_;
  ProbeState& state_;
  const SearchRounds* rounds_;
  ThreadPool& pool_;
  const SimdTable& simd_;
  uint8_t round_ = 0;
};

}  // namespace silverlode::cpu
