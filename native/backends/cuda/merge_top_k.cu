#include <algorithm>
#include <bit>
#include <limits>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/grid_select.cuh"
#include "ops/merge_top_k.h"

namespace silverlode::cuda {

namespace {

constexpr int64_t kSlabRequests = 256;  // merged at a time
constexpr int32_t kFree = -1;

// Open addressing from id to the best (score, list) of that id, one table per request of a slab.
struct Table {
  int32_t* ids;    // [requests, slots], kFree where there is none
  uint64_t* best;  // [requests, slots] ordered score, then ~list: the lower list wins between equal scores
  int64_t slots;   // a power of two, at least twice the entries
  int32_t shift;

  __device__ int64_t first_slot(uint32_t id) const {
    return static_cast<int64_t>((id * 0x9e3779b97f4a7c15ull) >> shift);
  }
  __device__ void offer(int64_t request, int32_t id, float score, uint32_t list) const {
    int32_t* const own = ids + request * slots;
    for (int64_t slot = first_slot(static_cast<uint32_t>(id));; slot = (slot + 1) & (slots - 1)) {
      const int32_t found = atomicCAS(&own[slot], kFree, id);
      if (found != kFree && found != id) continue;
      atomicMax(reinterpret_cast<unsigned long long*>(&best[request * slots + slot]),
                static_cast<unsigned long long>(uint64_t{ordered_score(score)} << 32 | ~list));
      return;
    }
  }
  __device__ int32_t list_of(int64_t request, int32_t id) const {
    const int32_t* const own = ids + request * slots;
    int64_t slot = first_slot(static_cast<uint32_t>(id));
    while (own[slot] != id) slot = (slot + 1) & (slots - 1);
    return static_cast<int32_t>(~static_cast<uint32_t>(best[request * slots + slot]));
  }
};

struct Merged {
  using Item = RankKey;
  Table table;
  const int32_t* counts;  // of the slab; may be null
  int64_t k;

  __device__ int64_t size(int64_t) const { return table.slots; }
  __device__ int64_t wanted(int64_t request) const {
    if (counts == nullptr) return k;
    const int64_t count = counts[request];
    return count < 0 ? 0 : count < k ? count : k;
  }
  __device__ RankKey item(int64_t request, int64_t slot) const {
    const int32_t id = table.ids[request * table.slots + slot];
    if (id == kFree) return kEmptyKey;
    const uint64_t score = table.best[request * table.slots + slot] >> 32;
    return score << 32 | static_cast<uint32_t>(~id);
  }
};

__global__ void sl_merge_offer(const RunError* error, Table table, const float* scores, const int32_t* ids,
                               int64_t requests, int64_t entries, int64_t columns) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < requests * entries; i += stride) {
    if (ids[i] >= 0) table.offer(i / entries, ids[i], scores[i], static_cast<uint32_t>(i % entries / columns));
  }
}

__global__ void sl_merge_write(const RunError* error, Merged merged, const SelectState* states, const RankKey* lists,
                               int64_t capacity, float* scores, int32_t* ids, int32_t* sources, int64_t requests,
                               int64_t k) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < requests * k; i += stride) {
    const int64_t request = i / k;
    const int64_t at = i % k;
    const bool found = at < states[request].count && at < merged.wanted(request);
    const RankKey key = found ? lists[request * capacity + at] : kEmptyKey;
    const int32_t id = found ? static_cast<int32_t>(key_ordinal(key)) : -1;
    scores[i] = found ? key_score(key) : -std::numeric_limits<float>::infinity();
    ids[i] = id;
    sources[i] = found ? merged.table.list_of(request, id) : -1;
  }
}

struct Layout {
  Layout(const MergeTopK::Args& args, Carve& carve)
      : requests(std::min(args.batch, kSlabRequests)),
        entries(args.lists * args.columns),
        slots(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * entries + 2)))),
        ids(carve.take<int32_t>(requests * slots)),
        best(carve.take<uint64_t>(requests * slots)),
        lists(requests, std::min(args.k, entries), carve) {}

  int64_t requests, entries, slots;
  int32_t* ids;
  uint64_t* best;
  SelectLists<RankKey> lists;
};

size_t workspace(const Context&, const MergeTopK::Args& args) {
  Carve carve;
  Layout(args, carve);
  return carve.bytes();
}

Status merge_slab(const Runtime& device, const MergeTopK::Args& args, const Layout& layout, int64_t first,
                  int64_t requests) {
  constexpr unsigned kThreads = kSelectThreads;
  const auto cells = static_cast<size_t>(requests * layout.slots);
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(layout.ids, 0xff, cells * sizeof(int32_t), device.stream),
                                       "clearing the table of ids"));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(layout.best, 0, cells * sizeof(uint64_t), device.stream),
                                       "clearing the table of scores"));
  const Merged merged = {
      {layout.ids, layout.best, layout.slots, std::countl_zero(static_cast<uint64_t>(layout.slots - 1))},
      args.counts == nullptr ? nullptr : args.counts + first,
      std::min(args.k, layout.entries)};
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_merge_offer, grid_for(device, requests * layout.entries, kThreads, 16),
                                    kThreads, 0, device.error, merged.table, args.scores + first * layout.entries,
                                    args.ids + first * layout.entries, requests, layout.entries, args.columns));
  int32_t target = 0;
  SILVERLODE_RETURN_IF_ERROR(select_rows(device, merged, 0, requests, layout.slots, layout.lists, target));
  SILVERLODE_RETURN_IF_ERROR(sort_rows(device, layout.lists, requests, layout.slots, target));
  return launch(device, sl_merge_write, grid_for(device, requests * args.k, kThreads, 16), kThreads, 0, device.error,
                merged, layout.lists.states, layout.lists.items[target], layout.lists.capacity,
                args.out_scores + first * args.k, args.out_ids + first * args.k, args.out_sources + first * args.k,
                requests, args.k);
}

Status run(Context& context, const MergeTopK::Args& args, Workspace workspace) {
  if (args.k == 0) return ok_status();
  const Runtime& device = runtime(context);
  Carve carve(workspace.data);
  const Layout layout(args, carve);
  for (int64_t first = 0; first < args.batch; first += kSlabRequests) {
    SILVERLODE_RETURN_IF_ERROR(merge_slab(device, args, layout, first, std::min(kSlabRequests, args.batch - first)));
  }
  return ok_status();
}

}  // namespace

template <>
OpEntry<MergeTopK::Args> entry<MergeTopK>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
