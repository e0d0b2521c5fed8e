// How heads walk through the clusters, nearest first, how the filter is evaluated on the clusters they ask for, and the mask rows
// of requests with excludes.
#pragma once

#include "backends/cuda/device/probe_work.cuh"

namespace silverlode::cuda {

namespace {

// 0: every cluster with an eligible row.
__device__ inline int64_t clamped_probes(const IvfProbe::Args& args, int64_t request) {
  const int64_t probes = args.probes[request];
  return probes < 0 ? 0 : probes < args.n_clusters ? probes : args.n_clusters;
}

__device__ inline int32_t cluster_word(const IvfProbe::Args& args, int64_t cluster) {
  return args.cluster_begin[cluster] / 64;
}

// Cuts one cluster per lane into parts of `part_words` mask words, by a whole warp: cluster -1 is none. `n_parts` counts the
// parts; write(slot, cluster, first word, words) gets each.
template <class Write>
__device__ void cut_clusters(const IvfProbe::Args& args, int32_t* n_parts, int32_t cluster, int32_t part_words,
                             const Write& write) {
  const auto lane = static_cast<int32_t>(threadIdx.x % 32);
  for (unsigned left = __ballot_sync(0xffffffffu, cluster >= 0); left != 0; left &= left - 1) {
    const int source = __ffs(static_cast<int>(left)) - 1;
    const int32_t c = __shfl_sync(0xffffffffu, cluster, source);
    const int32_t begin = cluster_word(args, c);
    const int32_t words = cluster_word(args, c + 1) - begin;
    const int32_t n = (words + part_words - 1) / part_words;
    int32_t slot = 0;
    if (lane == 0 && n > 0) slot = atomicAdd(n_parts, n);
    slot = __shfl_sync(0xffffffffu, slot, 0);
    for (int32_t i = lane; i < n; i += 32) {
      const int32_t rest = words - i * part_words;
      write(slot + i, c, begin + i * part_words, rest < part_words ? rest : part_words);
    }
  }
}

// Lists the words of one cluster per lane as chunks. `last` fills the array from its end.
__device__ inline void add_chunks(const IvfProbe::Args& args, const ProbeWork& work, int32_t* n_chunks, bool last,
                                  int32_t request, int32_t cluster) {
  cut_clusters(args, n_chunks, cluster, kChunkWords, [&](int32_t slot, int32_t c, int32_t word, int32_t n) {
    work.chunks[last ? work.max_chunks - 1 - slot : slot] = {request, c, word, n};
  });
}

// What the heads of a request looked at together.
struct ProbeCount {
  int64_t stats[4] = {0, 0, 0, 0};

  // A cluster that a head looked at, with its eligible rows. Whether it is the first one of the request to list it.
  __device__ bool add(const IvfProbe::Args& args, const ProbeWork& work, int64_t request, int32_t owner,
                      int32_t cluster, int64_t eligible, bool listed) {
    if (work.claim(work.seen, request, cluster) && owner >= 0) {
      stats[2] += work.live[owner * args.n_clusters + cluster];
      stats[3] += work.doubtful[owner * args.n_clusters + cluster];
    }
    if (!listed || !work.claim(work.listed, request, cluster)) return false;
    stats[0] += 1;
    stats[1] += eligible;
    return true;
  }
};

// What a block needs to walk for one head.
struct WalkMemory {
  int32_t eligible[kProbeThreads];
  int32_t stop;
};

// What a head has found in one cluster.
struct LookedAt {
  int32_t place;    // in the order of the head
  int32_t cluster;  // -1: none
  int32_t rows;     // eligible ones
  bool listed;
  int32_t list_place;
};

struct Walk {
  const IvfProbe::Args& args;
  const ProbeWork& work;
  WalkMemory& memory;
  const RankKey* order;     // of the head
  const RankKey* excludes;  // sorted
  int64_t head, request;
  ProbeRequest own;
  int64_t nearest;  // 0: every cluster with an eligible row
  bool ranked;      // else by id

  // Rows of the request's mask before its excludes.
  __device__ const uint64_t* shared_mask() const {
    return own.owner < 0 ? args.live : args.mask + own.owner * args.words;
  }

  __device__ int32_t excluded_in(int32_t cluster) const {
    if (!own.excludes()) return 0;
    const uint64_t* mask = shared_mask();
    int32_t count = 0;
    for_each_excluded(excludes, own, request, args.cluster_begin[cluster], args.cluster_begin[cluster + 1],
                      [&](int64_t row) { count += static_cast<int32_t>(mask[row / 64] >> (row % 64) & 1); });
    return count;
  }

  // The one that the head looks at in this place, before it has.
  __device__ uint32_t cluster_at(int32_t place) const {
    return ranked ? key_ordinal(order[place]) : static_cast<uint32_t>(place);
  }

  // memory.eligible[i]: eligible rows of the cluster at place first + i, for i < n <= kProbeThreads.
  __device__ void count_eligible(int32_t first, int32_t n) const {
    if (own.owner >= 0) {
      if (static_cast<int32_t>(threadIdx.x) < n) {
        const auto cluster = static_cast<int32_t>(cluster_at(first + static_cast<int32_t>(threadIdx.x)));
        memory.eligible[threadIdx.x] = work.eligible[own.owner * args.n_clusters + cluster] - excluded_in(cluster);
      }
    } else {  // the rows that are live, counted by a warp per cluster
      for (int32_t i = static_cast<int32_t>(threadIdx.x / 32); i < n; i += kProbeThreads / 32) {
        const auto cluster = static_cast<int32_t>(cluster_at(first + i));
        int32_t rows = 0;
        for (int32_t word = cluster_word(args, cluster) + static_cast<int32_t>(threadIdx.x % 32);
             word < cluster_word(args, cluster + 1); word += 32) {
          rows += __popcll(args.live[word]);
        }
        rows = warp_sum(rows);
        if (threadIdx.x % 32 == 0) memory.eligible[i] = rows - excluded_in(cluster);
      }
    }
    __syncthreads();
  }

  // Looks at the clusters asked for, up to the one that is enough; visit(LookedAt) is called by whole blocks.
  template <class Visit>
  __device__ void look(ProbeHead& state, Visit&& visit) const {
    while (state.seen < state.asked && state.done == 0) {
      const int32_t left = state.asked - state.seen;
      const int32_t n = left < kProbeThreads ? left : kProbeThreads;
      const auto i = static_cast<int32_t>(threadIdx.x);
      if (i == 0) memory.stop = n;
      count_eligible(state.seen, n);
      const int64_t rows = i < n ? memory.eligible[i] : 0;
      const int64_t before = block_scan<kProbeThreads>(rows).before;
      const bool enough = nearest > 0 && state.seen + i + 1 >= nearest &&
                          state.eligible + before + rows >= args.min_candidates[request];
      if (i < n && enough) atomicMin(&memory.stop, i);
      __syncthreads();
      const bool found = memory.stop < n;
      const int32_t looked = found ? memory.stop + 1 : n;
      const bool lists = i < looked && (state.seen + i < nearest || rows > 0);
      const ScanResult<int32_t> place = block_scan<kProbeThreads>(lists ? 1 : 0);
      const int32_t cluster = i < looked ? static_cast<int32_t>(cluster_at(state.seen + i)) : -1;
      visit(LookedAt{state.seen + i, cluster, static_cast<int32_t>(rows), lists, state.listed + place.before});
      state.eligible += block_scan<kProbeThreads>(i < looked ? rows : int64_t{0}).total;
      state.listed += place.total;
      state.seen += looked;
      state.done = found ? 1 : 0;
    }
    if (state.seen == args.n_clusters) state.done = 1;
  }

  // Asks for the clusters of [seen, asked) that nobody of the group has asked for.
  __device__ void ask(const ProbeHead& state, int32_t evaluation) const {
    for (int32_t first = state.seen; first < state.asked; first += kProbeThreads) {
      const int32_t place = first + static_cast<int32_t>(threadIdx.x);
      int32_t cluster = place < state.asked ? static_cast<int32_t>(cluster_at(place)) : -1;
      if (cluster >= 0 && !work.claim(work.claimed, own.owner, cluster)) cluster = -1;
      add_chunks(args, work, &work.counters[evaluation].n_chunks, false, own.owner, cluster);
    }
  }
};

// Mask words and counts of the chunks asked for: shallow plans by all warps, deep ones by the first kDeepWarps.
__global__ void __launch_bounds__(kFilterThreads, 4)
    sl_probe_filter(const RunError* error, IvfProbe::Args args, ProbeWork work, int32_t evaluation) {
  if (stopped(error)) return;
  struct Stacks;
  struct Rows;
  auto& stacks = shared<FilterStacks, Stacks>();
  auto& rows = shared<FilterRows, Rows>();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp_in_block = static_cast<int>(threadIdx.x / 32);
  const int32_t warp = static_cast<int32_t>(blockIdx.x) * kFilterWarps + warp_in_block;
  const int32_t all_warps = static_cast<int32_t>(gridDim.x) * kFilterWarps;
  const int32_t n_chunks = work.counters[evaluation].n_chunks;
  for (int pass = 0; pass < 2; ++pass) {
    const bool deep = pass == 1;
    const int32_t warps = deep && all_warps > kDeepWarps ? kDeepWarps : all_warps;
    if (deep && (warp >= warps || !work.program.any_deep())) break;
    FilterPair* spill = deep ? work.program.spill + int64_t{warp} * work.program.spilled * 32 : nullptr;
    for (int32_t i = warp; i < n_chunks; i += warps) {
      const ProbeChunk chunk = work.chunks[i];
      const int32_t plan_index = args.plan_index[chunk.request];
      if (work.program.is_deep(plan_index) != deep) continue;
      const WarpPlan plan(work.program, plan_index);
      const bool exact = args.exact[chunk.request] != 0;
      uint64_t* mask = args.mask + chunk.request * args.words;
      int32_t eligible = 0;
      int32_t doubtful = 0;
      int32_t live = 0;
      for (int32_t first = 0; first < chunk.n_words; first += 32) {
        const int64_t word = chunk.first_word + first;
        const int32_t n = chunk.n_words - first < 32 ? chunk.n_words - first : 32;
        FilterPair pair = evaluate_words(plan, args.filter, FilterStack(stacks.entries[warp_in_block], spill), word, n);
        const uint64_t alive = lane < n ? args.live[word + lane] : 0;
        pair = {pair.lo & alive, pair.hi & alive};
        const uint64_t unsure = pair.hi & ~pair.lo;
        if (exact) pair.hi = pair.lo | resolve_words(plan, args.filter, rows, word, unsure);
        if (lane < n) mask[word + lane] = pair.hi;
        eligible += __popcll(pair.hi);
        doubtful += __popcll(unsure);
        live += __popcll(alive);
      }
      eligible = warp_sum(eligible);
      doubtful = warp_sum(doubtful);
      live = warp_sum(live);
      if (lane != 0) continue;
      const int64_t entry = chunk.request * args.n_clusters + chunk.cluster;
      atomicAdd(&work.eligible[entry], eligible);
      atomicAdd(&work.doubtful[entry], doubtful);
      atomicAdd(&work.live[entry], live);
    }
  }
}

// Mask words of requests with excludes, a warp per chunk: from the owner's row or `live`, without the excluded rows. Owners
// come last, since the others read their rows.
__global__ void __launch_bounds__(kProbeThreads)
    sl_probe_copy(const RunError* error, IvfProbe::Args args, ProbeWork work, const ProbeCounters* counters,
                  const RankKey* excludes, bool owners) {
  if (stopped(error)) return;
  const int32_t n = owners ? counters->n_own : counters->n_copies;
  const auto warps = static_cast<int32_t>(gridDim.x * (kProbeThreads / 32));
  for (auto i = static_cast<int32_t>(blockIdx.x * (kProbeThreads / 32) + threadIdx.x / 32); i < n; i += warps) {
    const ProbeChunk chunk = work.chunks[owners ? work.max_chunks - 1 - i : i];
    const ProbeRequest own = work.requests[chunk.request];
    const uint64_t* source = own.owner < 0 ? args.live : args.mask + own.owner * args.words;
    uint64_t* mask = args.mask + (work.own_rows + chunk.request) * args.words;
    for (int64_t word = chunk.first_word + threadIdx.x % 32; word < chunk.first_word + chunk.n_words; word += 32) {
      uint64_t bits = source[word];
      for_each_excluded(excludes, own, chunk.request, word * 64, word * 64 + 64,
                        [&](int64_t row) { bits &= ~(uint64_t{1} << (row % 64)); });
      mask[word] = bits;
    }
  }
}

}  // namespace

}  // namespace silverlode::cuda
