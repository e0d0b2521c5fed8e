// What a walk through the clusters keeps in the workspace (ivf_probe, ivf_search), and the kernels that check a batch and
// prepare its requests.
#pragma once

#include "backends/cuda/device/grid_select.cuh"
#include "backends/cuda/device/warp_dots.cuh"
#include "backends/cuda/device/warp_filter.cuh"
#include "ops/ivf_probe.h"

namespace silverlode::cuda {

constexpr int32_t kChunkWords = 64;  // mask words that a warp takes at a time
constexpr int kProbeThreads = 256;

// Requests with the same plan and the same `exact` form a group: they share what is known of each cluster, and the mask row
// of `owner`, the first of them without excludes, or else the first. A group is named by its owner.
struct ProbeRequest {
  int32_t owner;                       // -1: no plan
  int32_t exclude_begin, exclude_end;  // into the sorted excludes

  __device__ bool excludes() const { return exclude_begin < exclude_end; }
};

// A head walks through the clusters, nearest first: what [seen, asked) needs is evaluated, then it is looked at.
struct ProbeHead {
  int64_t eligible;
  int32_t seen, asked, listed, done;
};

// Of one evaluation.
struct ProbeCounters {
  int32_t n_chunks;  // to evaluate
  int32_t n_copies;  // chunks of masks that requests with excludes take from their owner: the first ones
  int32_t n_own;     // chunks of owners with excludes: the last ones
};

// Some words of a cluster, for the mask row of a request.
struct ProbeChunk {
  int32_t request;
  int32_t cluster;
  int32_t first_word;
  int32_t n_words;
};

struct ProbeWork {
  // `evaluations`: times that clusters can be asked for.
  ProbeWork(const IvfProbe::Args& args, int32_t evaluations, Carve& carve)
      : cluster_words((args.n_clusters + 31) / 32),
        max_chunks(args.batch * (args.n_clusters + args.words / kChunkWords + 1)),
        counters(carve.take<ProbeCounters>(evaluations)),
        heads(carve.take<ProbeHead>(args.batch * args.heads)),
        claimed(carve.take<uint32_t>(args.batch * cluster_words)),
        seen(carve.take<uint32_t>(args.batch * cluster_words)),
        listed(carve.take<uint32_t>(args.batch * cluster_words)),
        eligible(carve.take<int32_t>(args.batch * args.n_clusters)),
        doubtful(carve.take<int32_t>(args.batch * args.n_clusters)),
        live(carve.take<int32_t>(args.batch * args.n_clusters)),
        zeroed_end(carve.take<uint8_t>(0)),
        requests(carve.take<ProbeRequest>(args.batch)),
        first_of_plan(carve.take<int32_t>(4 * args.plans.plans)),
        chunks(carve.take<ProbeChunk>(max_chunks)),
        excludes(1, args.n_exclude, carve),
        order(args.batch * args.heads, args.n_clusters, carve),
        program(args.plans, carve) {}

  int64_t cluster_words, max_chunks;
  int64_t own_rows = 0;  // mask row of the first request where requests with excludes do not write that of their group

  // All zero when a run starts, and next to each other.
  ProbeCounters* counters;  // [evaluations]
  ProbeHead* heads;         // [batch, heads]
  uint32_t* claimed;        // [batch, cluster_words] by owner: clusters that are or will be evaluated
  uint32_t* seen;           // [batch, cluster_words] looked at by any head
  uint32_t* listed;         // [batch, cluster_words] listed by any head
  int32_t* eligible;        // [batch, C] by owner, as are the next two
  int32_t* doubtful;
  int32_t* live;
  void* zeroed_end;

  ProbeRequest* requests;       // [batch]
  int32_t* first_of_plan;       // [plans, exact, with or without excludes]
  ProbeChunk* chunks;           // [max_chunks]
  SortLists<RankKey> excludes;  // one list: requests and rows, ascending; then the negative entries
  SortLists<RankKey> order;     // a list per head: all clusters, nearest first
  FilterProgram program;

  // Sets a bit; false when it was set before.
  __device__ bool claim(uint32_t* bits, int64_t row, int32_t cluster) const {
    const uint32_t bit = 1u << (cluster % 32);
    return (atomicOr(&bits[row * cluster_words + cluster / 32], bit) & bit) == 0;
  }
};

// Excludes as keys that sort descending: requests, and rows within a request, ascend.
__device__ inline RankKey exclude_key(int64_t request, int64_t row) {
  return ~(static_cast<uint64_t>(request) << 32 | static_cast<uint64_t>(row));
}
__device__ inline int64_t exclude_row(RankKey key) { return static_cast<int64_t>(~key & 0xffffffffu); }

// The first of the sorted excludes [begin, end) that is not before `key`.
__device__ inline int32_t first_exclude(const RankKey* sorted, int32_t begin, int32_t end, RankKey key) {
  while (begin < end) {
    const int32_t middle = (begin + end) / 2;
    const bool before = sorted[middle] > key;
    (before ? begin : end) = before ? middle + 1 : middle;
  }
  return begin;
}

// Calls visit(row) for every distinct excluded row of a request from row `begin` to before `end`.
template <class Visit>
__device__ void for_each_excluded(const RankKey* sorted, const ProbeRequest& own, int64_t request, int64_t begin,
                                  int64_t end, const Visit& visit) {
  int64_t previous = -1;
  for (int32_t i = first_exclude(sorted, own.exclude_begin, own.exclude_end, exclude_key(request, begin));
       i < own.exclude_end; ++i) {
    const int64_t row = exclude_row(sorted[i]);
    if (row >= end) break;
    if (row != previous) visit(row);
    previous = row;
  }
}

namespace {

__global__ void sl_probe_check(RunError* error, const char* op, IvfProbe::Args args) {
  const int64_t rows = args.words * 64;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t c = first; c <= args.n_clusters; c += stride) {
    const int64_t begin = args.cluster_begin[c];
    const int64_t least = c == 0 ? 0 : args.cluster_begin[c - 1];
    if (begin < least || begin > rows || begin % 64 != 0) raise(error, op, Fault::kClusterBounds, c, rows);
  }
  for (int64_t r = first; r < args.batch; r += stride) {
    const int64_t offset = args.exclude_offsets[r];
    const int64_t least = r == 0 ? 0 : args.exclude_offsets[r - 1];
    if (offset < least || offset > args.n_exclude || (r == 0 && offset != 0)) {
      raise(error, op, Fault::kOffsets, r, args.n_exclude);
    }
    const int64_t plan = args.plan_index[r];
    if (plan < -1 || plan >= args.plans.plans) raise(error, op, Fault::kPlan, plan, args.plans.plans);
  }
  for (int64_t i = first; i < args.n_exclude; i += stride) {
    if (args.exclude_rows[i] >= rows) raise(error, op, Fault::kRow, args.exclude_rows[i], rows);
  }
}

__global__ void sl_probe_excludes(const RunError* error, IvfProbe::Args args, ProbeWork work) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (first == 0) work.excludes.states[0].count = static_cast<uint32_t>(args.n_exclude);
  for (int64_t i = first; i < args.n_exclude; i += stride) {
    int64_t request = 0;
    int64_t above = args.batch;
    while (request + 1 < above) {  // the last request that begins at or before i
      const int64_t middle = (request + above) / 2;
      (args.exclude_offsets[middle] <= i ? request : above) = middle;
    }
    const int32_t row = args.exclude_rows[i];
    work.excludes.items[0][i] = row < 0 ? kEmptyKey : exclude_key(request, row);
  }
}

// Ranges of excludes, and the first request of every group.
__global__ void sl_probe_requests(const RunError* error, IvfProbe::Args args, ProbeWork work, const RankKey* sorted) {
  if (stopped(error)) return;
  const int64_t request = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (request >= args.batch) return;
  const auto n = static_cast<int32_t>(args.n_exclude);
  ProbeRequest own = {-1, 0, 0};
  own.exclude_begin = first_exclude(sorted, 0, n, exclude_key(request, 0));
  own.exclude_end = first_exclude(sorted, own.exclude_begin, n, exclude_key(request + 1, 0));
  work.requests[request] = own;
  const int32_t plan = args.plan_index[request];
  if (plan < 0) return;
  const int64_t group = 4 * int64_t{plan} + (args.exact[request] != 0 ? 2 : 0);
  atomicMin(&work.first_of_plan[group + (own.excludes() ? 1 : 0)], static_cast<int32_t>(request));
}

__global__ void sl_probe_owners(const RunError* error, IvfProbe::Args args, ProbeWork work) {
  if (stopped(error)) return;
  const int64_t request = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (request >= args.batch || args.plan_index[request] < 0) return;
  const int64_t group = 4 * int64_t{args.plan_index[request]} + (args.exact[request] != 0 ? 2 : 0);
  const int32_t clean = work.first_of_plan[group];
  work.requests[request].owner = clean < args.batch ? clean : work.first_of_plan[group + 1];
}

// Keys of all clusters for all heads: 128 centroids and a group of queries at a time. `rank(head, cluster, score, norm)` is what
// a cluster ranks by; the query's norm is there for metric l2 or if kNorms.
template <class Dots, bool kNorms, class Rank>
__device__ __forceinline__ void score_clusters(const IvfProbe::Args& args, const SortLists<RankKey>& order,
                                               int32_t group_queries, const Rank& rank) {
  constexpr int kTiles = 8;
  constexpr int kWarps = kProbeThreads / 32;
  struct Members;
  struct Scores;
  auto& members = shared<uint32_t[kTiles * kTileQueries], Members>();
  auto& scores = shared<QueryScore[kTiles * kTileQueries], Scores>();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const bool l2 = args.metric == Metric::kL2;
  const int64_t n_queries = args.batch * args.heads;
  const int64_t groups = (n_queries + group_queries - 1) / group_queries;
  const int64_t parts = (args.n_clusters + kWarps * kTileRows - 1) / (kWarps * kTileRows);
  for (int64_t task = blockIdx.x; task < groups * parts; task += gridDim.x) {
    const int64_t first = task % groups * group_queries;
    const auto n = static_cast<int32_t>(n_queries - first < group_queries ? n_queries - first : group_queries);
    for (int i = warp; i < n; i += kWarps) {
      const int64_t query = first + i;
      const float scale = args.query_scales[query];
      const float norm = kNorms || l2 ? warp_query_norm(args.queries + query * args.dim, args.dim, scale) : 0.0f;
      if (lane == 0) {
        members[i] = static_cast<uint32_t>(query);
        scores[i] = {scale, norm};
      }
    }
    __syncthreads();
    const QueryTiles queries = {args.queries,
                                members,
                                dynamic_shared<uint4>(),
                                n,
                                (n + kTileQueries - 1) / kTileQueries,
                                static_cast<int32_t>(args.dim)};
    if constexpr (Dots::kStaged) queries.stage();
    __syncthreads();
    const int64_t row = task / groups * (kWarps * kTileRows) + warp * kTileRows + lane / 4;
    int64_t clusters[2];
    for (int r = 0; r < 2; ++r) clusters[r] = row + 8 * r < args.n_clusters ? row + 8 * r : args.n_clusters - 1;
    int32_t dots[kTiles][4];
    Dots::run(dots, args.centroids + clusters[0] * args.dim, args.centroids + clusters[1] * args.dim, queries);
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      for (int e = 0; e < 4; ++e) {
        const int i = j * kTileQueries + lane % 4 * 2 + e % 2;
        const int64_t cluster = clusters[e / 2];
        if (i >= n || row + 8 * (e / 2) >= args.n_clusters) continue;
        const float score = finish_score(Dots::to_float(dots[j][e]), args.centroid_scales[cluster],
                                         row_bias(args.centroid_bias, cluster), scores[i], l2);
        order.items[0][(first + i) * order.capacity + cluster] =
            make_key(rank(first + i, cluster, score, scores[i].norm), static_cast<uint32_t>(cluster));
        if (cluster == 0) order.states[first + i].count = static_cast<uint32_t>(args.n_clusters);
      }
    }
    __syncthreads();
  }
}

}  // namespace

}  // namespace silverlode::cuda
