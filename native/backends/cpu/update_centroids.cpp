// Rows are listed by cluster (a stable counting sort of their numbers); then each cluster is one task.
#include <algorithm>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "ops/update_centroids.h"

namespace silverlode::cpu {
namespace {

constexpr float kApart = 1.0f / 1024;

struct Scratch {
  int64_t* ends;      // [C] end of each cluster's rows in `order`
  int32_t* order;     // [N] rows by cluster, ascending
  uint64_t* largest;  // [C] heap for re-seeding
  double* sums;       // per worker: [D]

  Scratch(Carve& carve, const Context& context, const UpdateCentroids::Args& args)
      : ends(carve.take<int64_t>(args.n_clusters)),
        order(carve.take<int32_t>(args.n_rows)),
        largest(carve.take<uint64_t>(args.n_clusters)),
        sums(carve.take<double>(runtime(context).pool.threads() * args.dim)) {}
};

Status check_clusters(const UpdateCentroids::Args& args) {
  for (int64_t row = 0; row < args.n_rows; ++row) {
    const int32_t cluster = args.clusters[row];
    if (cluster >= 0 && cluster < args.n_clusters) continue;
    return make_error(Code::kInvalidArgument, "%s: row %lld has cluster %d, outside [0, %lld)", UpdateCentroids::kName,
                      static_cast<long long>(row), cluster, static_cast<long long>(args.n_clusters));
  }
  return ok_status();
}

void list_rows(const UpdateCentroids::Args& args, const Scratch& scratch) {
  std::fill_n(args.sizes, args.n_clusters, 0);
  for (int64_t row = 0; row < args.n_rows; ++row) ++args.sizes[args.clusters[row]];
  int64_t begin = 0;
  for (int64_t c = 0; c < args.n_clusters; ++c) {
    scratch.ends[c] = begin;
    begin += args.sizes[c];
  }
  for (int64_t row = 0; row < args.n_rows; ++row) {
    scratch.order[scratch.ends[args.clusters[row]]++] = static_cast<int32_t>(row);
  }
}

void compute_mean(const UpdateCentroids::Args& args, const Scratch& scratch, int64_t cluster, double* sums) {
  const int64_t size = args.sizes[cluster];
  if (size == 0) return;  // re-seeded later
  const int32_t* members = scratch.order + scratch.ends[cluster] - size;
  std::fill_n(sums, args.dim, 0.0);
  for (int64_t i = 0; i < size; ++i) {
    const float* row = args.rows + members[i] * args.dim;
    for (int64_t d = 0; d < args.dim; ++d) sums[d] += static_cast<double>(row[d]);
  }
  float* centroid = args.centroids + cluster * args.dim;
  for (int64_t d = 0; d < args.dim; ++d) centroid[d] = static_cast<float>(sums[d] / static_cast<double>(size));
}

// Larger is a larger cluster, then a lower id.
uint64_t size_key(int64_t size, int64_t cluster) {
  return (static_cast<uint64_t>(size) << 32) | static_cast<uint32_t>(~static_cast<uint32_t>(cluster));
}

void reseed_empty(const UpdateCentroids::Args& args, const Scratch& scratch) {
  if (std::find(args.sizes, args.sizes + args.n_clusters, 0) == args.sizes + args.n_clusters) return;
  uint64_t* heap = scratch.largest;
  uint64_t* end = heap;
  for (int64_t c = 0; c < args.n_clusters; ++c) {
    if (args.sizes[c] > 0) *end++ = size_key(args.sizes[c], c);
  }
  std::make_heap(heap, end);

  for (int64_t empty = 0; empty < args.n_clusters; ++empty) {
    if (args.sizes[empty] > 0) continue;
    std::pop_heap(heap, end);
    const int64_t size = static_cast<int64_t>(end[-1] >> 32);
    const int64_t split = static_cast<uint32_t>(~static_cast<uint32_t>(end[-1]));
    float* first = args.centroids + split * args.dim;
    float* second = args.centroids + empty * args.dim;
    for (int64_t d = 0; d < args.dim; ++d) {
      const float apart = d % 2 == 0 ? kApart : -kApart;
      second[d] = first[d] * (1 - apart);
      first[d] = first[d] * (1 + apart);
    }
    end[-1] = size_key(size - size / 2, split);
    std::push_heap(heap, end);
    *end++ = size_key(size / 2, empty);
    std::push_heap(heap, end);
  }
}

Status run(Context& context, const UpdateCentroids::Args& args, Workspace workspace) {
  if (Status status = check_clusters(args); !status.ok()) return status;
  Carve carve(workspace.data);
  const Scratch scratch(carve, context, args);
  list_rows(args, scratch);
  runtime(context).pool.parallel_for(args.n_clusters, [&](int64_t cluster, int32_t worker) {
    if (!context.cancelled()) compute_mean(args, scratch, cluster, scratch.sums + worker * args.dim);
  });
  if (context.cancelled()) return make_error(Code::kAborted, "%s was cancelled", UpdateCentroids::kName);
  reseed_empty(args, scratch);
  return ok_status();
}

size_t workspace(const Context& context, const UpdateCentroids::Args& args) {
  Carve carve;
  const Scratch scratch(carve, context, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<UpdateCentroids::Args> entry<UpdateCentroids>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
