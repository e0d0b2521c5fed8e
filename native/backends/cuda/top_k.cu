#include <algorithm>
#include <limits>

#include "backends/cuda/backend.h"
#include "backends/cuda/device/grid_select.cuh"
#include "ops/top_k.h"

namespace silverlode::cuda {

namespace {

constexpr int64_t kWarpItems = 256;  // rows up to here are sorted by a warp each
constexpr unsigned kWarpsPerBlock = 4;
constexpr int64_t kSlabRows = 1024;  // longer rows that are selected from at a time

// Without a payload the id of an entry is its column, so a key says everything.
struct Scores {
  using Item = RankKey;
  const float* scores;
  int64_t columns, k;

  __device__ int64_t size(int64_t) const { return columns; }
  __device__ int64_t wanted(int64_t) const { return k; }
  __device__ RankKey item(int64_t row, int64_t column) const {
    return make_key(scores[row * columns + column], static_cast<uint32_t>(column));
  }
  static __device__ int32_t position(RankKey key) { return static_cast<int32_t>(key_ordinal(key)); }
};

struct ScoresWithPayload {
  using Item = PlacedKey;
  const float* scores;
  const int32_t* payload;
  int64_t columns, k;

  __device__ int64_t size(int64_t) const { return columns; }
  __device__ int64_t wanted(int64_t) const { return k; }
  __device__ PlacedKey item(int64_t row, int64_t column) const {
    const int32_t id = payload[row * columns + column];
    if (id < 0) return empty_item<PlacedKey>();
    return {make_key(scores[row * columns + column], static_cast<uint32_t>(id)), static_cast<uint64_t>(column)};
  }
  static __device__ int32_t position(const PlacedKey& item) { return static_cast<int32_t>(item.place); }
};

struct Output {
  float* scores;
  int32_t* ids;
  int32_t* positions;
  int64_t k;

  template <class Source>
  __device__ void write(int64_t row, int64_t i, const typename Source::Item& item) const {
    const bool missing = rank_key(item) == kEmptyKey;
    scores[row * k + i] = missing ? -std::numeric_limits<float>::infinity() : key_score(rank_key(item));
    ids[row * k + i] = missing ? -1 : static_cast<int32_t>(key_ordinal(rank_key(item)));
    positions[row * k + i] = missing ? -1 : Source::position(item);
  }
};

// Rows of at most n items, n a power of two, one per group; the groups of a block take neighbouring rows.
template <class Source, class Group>
__global__ void __launch_bounds__(kSelectThreads, 4)
    sl_select_rows(const RunError* error, Source source, Output output, int64_t rows, int32_t n) {
  if (stopped(error)) return;
  using Item = typename Source::Item;
  const int64_t groups = blockDim.x / Group::kThreads;
  const int64_t group = threadIdx.x / Group::kThreads;
  Item* items = dynamic_shared<Item>() + group * n;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * groups;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * groups; first < rows; first += stride) {
    const int64_t row = first + group;
    const int64_t size = row < rows ? source.size(row) : 0;
    for (int i = Group::rank(); i < n; i += Group::kThreads) {
      items[i] = i < size ? source.item(row, i) : empty_item<Item>();
    }
    group_sort<Group>(items, n);
    for (int64_t i = Group::rank(); row < rows && i < output.k; i += Group::kThreads) {
      output.write<Source>(row, i, i < n ? items[i] : empty_item<Item>());
    }
    Group::sync();
  }
}

template <class Source>
__global__ void __launch_bounds__(kSelectThreads)
    sl_select_write(const RunError* error, const SelectState* states, const typename Source::Item* lists,
                    int64_t capacity, Output output, int64_t first_row, int64_t rows) {
  if (stopped(error)) return;
  using Item = typename Source::Item;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kSelectThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kSelectThreads + threadIdx.x; i < rows * output.k; i += stride) {
    const int64_t slot = i / output.k;
    const int64_t at = i % output.k;
    output.write<Source>(first_row + slot, at,
                         at < states[slot].count ? lists[slot * capacity + at] : empty_item<Item>());
  }
}

template <class Item>
SelectLists<Item> lay_out(const TopK::Args& args, Carve& carve) {
  return SelectLists<Item>(std::min(args.rows, kSlabRows), std::min(args.k, args.columns), carve);
}

size_t workspace(const Context&, const TopK::Args& args) {
  if (args.columns <= kSortItems) return 0;
  Carve carve;
  if (args.has_payload) {
    lay_out<PlacedKey>(args, carve);
  } else {
    lay_out<RankKey>(args, carve);
  }
  return carve.bytes();
}

template <class Source>
Status short_rows(const Runtime& device, const TopK::Args& args, const Source& source, const Output& output) {
  using Item = typename Source::Item;
  const bool by_warp = args.columns <= kWarpItems;
  const int64_t groups = by_warp ? kWarpsPerBlock : 1;
  int32_t n = 2;
  while (n < args.columns) n *= 2;
  const unsigned grid = grid_for(device, args.rows, groups, 32);
  const size_t bytes = static_cast<size_t>(groups * n) * sizeof(Item);
  if (by_warp) {
    return launch(device, sl_select_rows<Source, WarpGroup>, grid, 32 * kWarpsPerBlock, bytes, device.error, source,
                  output, args.rows, n);
  }
  return launch(device, sl_select_rows<Source, BlockGroup<kSelectThreads>>, grid, kSelectThreads, bytes, device.error,
                source, output, args.rows, n);
}

template <class Source>
Status long_rows(const Runtime& device, const TopK::Args& args, const Source& source, const Output& output,
                 Workspace workspace) {
  Carve carve(workspace.data);
  const auto lists = lay_out<typename Source::Item>(args, carve);
  for (int64_t first = 0; first < args.rows; first += kSlabRows) {
    const int64_t rows = std::min(kSlabRows, args.rows - first);
    int32_t target = 0;
    SILVERLODE_RETURN_IF_ERROR(select_rows(device, source, first, rows, args.columns, lists, target));
    SILVERLODE_RETURN_IF_ERROR(sort_rows(device, lists, rows, args.columns, target));
    SILVERLODE_RETURN_IF_ERROR(
        launch(device, sl_select_write<Source>, grid_for(device, rows * args.k, kSelectThreads, 16), kSelectThreads, 0,
               device.error, lists.states, lists.items[target], lists.capacity, output, first, rows));
  }
  return ok_status();
}

template <class Source>
Status select(const Runtime& device, const TopK::Args& args, const Source& source, Workspace workspace) {
  const Output output = {args.out_scores, args.out_ids, args.out_positions, args.k};
  if (args.columns <= kSortItems) return short_rows(device, args, source, output);
  return long_rows(device, args, source, output, workspace);
}

Status run(Context& context, const TopK::Args& args, Workspace workspace) {
  if (args.rows == 0 || args.k == 0) return ok_status();
  const Runtime& device = runtime(context);
  const int64_t k = std::min(args.k, args.columns);
  if (!args.has_payload) return select(device, args, Scores{args.scores, args.columns, k}, workspace);
  return select(device, args, ScoresWithPayload{args.scores, args.payload, args.columns, k}, workspace);
}

}  // namespace

template <>
OpEntry<TopK::Args> entry<TopK>() {
  return {workspace, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
