// The best items of rows of any length, sorted: a radix selection over the whole grid, then a merge sort.
//
// Pass by pass, the digits of the item of rank k are found from the most significant one on: every block counts its part of
// a row, the last block of the row to finish adds up and narrows the cut. Passes end as soon as the items from the cut upwards
// fit into the list of the row, which has room for more than k; sorting then puts the best k in front. Equal items at the
// cut beyond that room are told apart by the remaining digits, so the result depends on the set of items alone, not on
// the grid or the order of atomics. (Digits of 11 bits and the last-block pattern: the radix select of Zhang et al.,
// "Parallel Top-K Algorithms on GPU", SC'23; the rest is ours.)
//
// A Source says what is selected from, read on the device:
//   using Item                      RankKey or PlacedKey; empty items are skipped
//   int64_t size(row), wanted(row)  items of the row, and k
//   Item item(row, i)
#pragma once

#include <algorithm>

#include "backends/carve.h"
#include "backends/cuda/device/block_histogram.cuh"
#include "backends/cuda/device/group_sort.cuh"
#include "ops/check.h"

namespace silverlode::cuda {

constexpr int kSelectItems = 4;  // items a thread looks at together
constexpr int kSelectTile = kSelectThreads * kSelectItems;
constexpr int kSortItems = 2048;  // sorted by one block in shared memory

// Items that a list for the best k has room for; never less for a larger k.
constexpr int64_t select_capacity(int64_t k) { return (k + kSortItems / 2 + kSortItems - 1) / kSortItems * kSortItems; }

namespace {

template <class Source>
__global__ void __launch_bounds__(kSelectThreads)
    sl_select_digit(const RunError* error, Source source, SelectState* states, uint32_t* histograms, int64_t first_row,
                    int32_t blocks_per_row, uint32_t capacity, int32_t pass) {
  if (stopped(error)) return;
  using Item = typename Source::Item;
  struct Bins;
  struct Last;
  auto& bins = shared<uint32_t[kBins], Bins>();
  auto& is_last = shared<bool, Last>();
  const int64_t slot = blockIdx.x / blocks_per_row;
  const int32_t part = static_cast<int32_t>(blockIdx.x % blocks_per_row);
  SelectState& state = states[slot];
  uint32_t* histogram = histograms + slot * kBins;
  const int64_t row = first_row + slot;
  const int64_t n = source.size(row);
  const int64_t wanted = source.wanted(row);
  if (pass == 0 && (n <= capacity || wanted == 0)) {
    if (part == 0 && threadIdx.x == 0) {
      state.done = 1;
      if (wanted == 0) state.cut = {{~0u, ~0u, ~0u}};
    }
    return;
  }
  if (pass > 0 && state.done != 0) return;

  for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kSelectThreads) bins[i] = 0;
  __syncthreads();
  const Cut cut = state.cut;
  for (int64_t tile = int64_t{part} * kSelectTile; tile < n; tile += int64_t{blocks_per_row} * kSelectTile) {
    Item items[kSelectItems];
#pragma unroll
    for (int i = 0; i < kSelectItems; ++i) {
      const int64_t at = tile + i * kSelectThreads + threadIdx.x;
      items[i] = at < n ? source.item(row, at) : empty_item<Item>();
    }
#pragma unroll
    for (int i = 0; i < kSelectItems; ++i) add_to_bin(bins, rank_digit(items[i], cut, pass));
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kSelectThreads) {
    if (bins[i] != 0) atomicAdd(&histogram[i], bins[i]);
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) is_last = atomicAdd(&state.ticket, 1u) == static_cast<uint32_t>(blocks_per_row) - 1;
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kSelectThreads) {
    bins[i] = __ldcg(&histogram[i]);
    histogram[i] = 0;
  }
  __syncthreads();
  const uint32_t needed = pass == 0 ? static_cast<uint32_t>(wanted) : state.needed;
  const Bin bin = bin_of_rank(bins, needed);
  if (threadIdx.x == 0) {
    state.ticket = 0;
    state.needed = needed;
    narrow<Item>(state, bin, pass, capacity);
  }
}

// Whether an item belongs to the list of its row. `known` is what the passes left in `state`.
template <class Item>
__device__ bool selected(SelectState& state, const SelectState& known, const Item& item) {
  if (rank_key(item) == kEmptyKey) return false;
  const int order = compare(item, known.cut);
  if (order != 0 || known.ties == 0) return order >= 0;
  return atomicAdd(&state.equal, 1u) < known.needed;
}

template <class Source>
__global__ void __launch_bounds__(kSelectThreads)
    sl_select_collect(const RunError* error, Source source, SelectState* states, typename Source::Item* lists,
                      int64_t first_row, int32_t blocks_per_row, uint32_t capacity) {
  if (stopped(error)) return;
  using Item = typename Source::Item;
  struct Stage;
  struct Staged;
  struct Target;
  auto& stage = shared<Item[kSelectTile], Stage>();
  auto& staged = shared<uint32_t, Staged>();
  auto& target = shared<uint32_t, Target>();
  const int64_t slot = blockIdx.x / blocks_per_row;
  const int32_t part = static_cast<int32_t>(blockIdx.x % blocks_per_row);
  SelectState& state = states[slot];
  const SelectState known = {state.cut, state.needed, 0, 0, state.ties, 0, 0, 0};
  const int64_t row = first_row + slot;
  const int64_t n = source.size(row);
  for (int64_t tile = int64_t{part} * kSelectTile; tile < n; tile += int64_t{blocks_per_row} * kSelectTile) {
    if (threadIdx.x == 0) staged = 0;
    __syncthreads();
    for (int i = 0; i < kSelectItems; ++i) {
      const int64_t at = tile + i * kSelectThreads + threadIdx.x;
      const Item item = at < n ? source.item(row, at) : empty_item<Item>();
      const bool keep = selected(state, known, item);
      const unsigned lanes = __ballot_sync(0xffffffffu, keep);
      if (lanes == 0) continue;
      const unsigned lane = threadIdx.x % 32;
      uint32_t first = 0;
      if (lane == 0) first = atomicAdd(&staged, static_cast<uint32_t>(__popc(lanes)));
      first = __shfl_sync(0xffffffffu, first, 0);
      if (keep) stage[first + static_cast<uint32_t>(__popc(lanes & ((1u << lane) - 1)))] = item;
    }
    __syncthreads();
    const uint32_t count = staged;
    if (threadIdx.x == 0 && count > 0) target = atomicAdd(&state.count, count);
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < count; i += kSelectThreads) lists[slot * capacity + target + i] = stage[i];
    __syncthreads();
  }
}

template <class Item>
__global__ void __launch_bounds__(kSelectThreads)
    sl_select_sort(const RunError* error, const SelectState* states, Item* lists, int64_t capacity) {
  if (stopped(error)) return;
  struct Items;
  auto& items = shared<Item[kSortItems], Items>();
  const int64_t chunks = capacity / kSortItems;
  const int64_t first = blockIdx.x % chunks * kSortItems;
  const int64_t count = static_cast<int64_t>(states[blockIdx.x / chunks].count) - first;
  if (count <= 0) return;
  Item* list = lists + blockIdx.x / chunks * capacity + first;
  int n = 2;
  while (n < kSortItems && n < count) n *= 2;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kSelectThreads) {
    items[i] = i < count ? list[i] : empty_item<Item>();
  }
  group_sort<BlockGroup<kSelectThreads>>(items, n);
  for (int i = static_cast<int>(threadIdx.x); i < n && i < count; i += kSelectThreads) list[i] = items[i];
}

// Merges pairs of sorted runs: an item's place is its own index plus the number of items of the other run in front of it.
template <class Item>
__global__ void __launch_bounds__(kSelectThreads)
    sl_select_merge(const RunError* error, const SelectState* states, const Item* from, Item* to, int64_t rows,
                    int64_t capacity, int64_t run) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kSelectThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kSelectThreads + threadIdx.x; i < rows * capacity; i += stride) {
    const int64_t slot = i / capacity;
    const int64_t at = i % capacity;
    const int64_t count = states[slot].count;
    if (at >= count) continue;
    const Item* list = from + slot * capacity;
    const Item item = list[at];
    const int64_t pair = at / (2 * run) * (2 * run);
    const bool is_left = at < pair + run;
    const int64_t begin = is_left ? pair + run : pair;
    int64_t low = begin < count ? begin : count;
    int64_t high = begin + run < count ? begin + run : count;
    const int64_t first = low;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      const bool in_front = is_left ? ranks_before(list[middle], item) : !ranks_before(item, list[middle]);
      (in_front ? low : high) = in_front ? middle + 1 : middle;
    }
    to[slot * capacity + pair + (at - (is_left ? pair : pair + run)) + (low - first)] = item;
  }
}

}  // namespace

// Lists to be sorted: states[row].count items of each.
template <class Item>
struct SortLists {
  int64_t rows, capacity;  // a multiple of kSortItems
  Item* items[2];          // [rows, capacity] each
  SelectState* states;     // [rows]

  SortLists(int64_t row_count, int64_t room, Carve& carve)
      : rows(row_count), capacity((room + kSortItems - 1) / kSortItems * kSortItems) {
    for (Item*& list : items) list = carve.take<Item>(rows * capacity);
    states = carve.take<SelectState>(rows);
  }
};

// Memory for the selection of `rows` rows at a time.
template <class Item>
struct SelectLists : SortLists<Item> {
  uint32_t* histograms;  // [rows, kBins]

  SelectLists(int64_t row_count, int64_t k, Carve& carve)
      : SortLists<Item>(row_count, select_capacity(k), carve), histograms(carve.take<uint32_t>(row_count * kBins)) {}
};

// Puts the best items of rows [first_row, first_row + rows) into lists.items[target], unsorted: all that are wanted and a few
// more, states[slot].count of them. `longest` is the most items that a row can have.
template <class Source>
Status select_rows(const Runtime& device, const Source& source, int64_t first_row, int64_t rows, int64_t longest,
                   const SelectLists<typename Source::Item>& lists, int32_t target) {
  using Item = typename Source::Item;
  SILVERLODE_RETURN_IF_ERROR(
      status_of(cudaMemsetAsync(lists.states, 0, static_cast<size_t>(rows) * sizeof(SelectState), device.stream),
                "clearing selection states"));
  SILVERLODE_RETURN_IF_ERROR(status_of(
      cudaMemsetAsync(lists.histograms, 0, static_cast<size_t>(rows) * kBins * sizeof(uint32_t), device.stream),
      "clearing histograms"));
  const int64_t most = std::max<int64_t>(1, 8 * device.limits.sm_count / rows);
  const auto blocks = static_cast<int32_t>(std::clamp<int64_t>(longest / (4 * kSelectTile), 1, most));
  const auto grid = static_cast<unsigned>(blocks * rows);
  const auto capacity = static_cast<uint32_t>(lists.capacity);
  const int32_t passes = longest <= lists.capacity ? 1 : kDigitsPerWord * kRankWords<Item>;
  for (int32_t pass = 0; pass < passes; ++pass) {
    SILVERLODE_RETURN_IF_ERROR(launch(device, sl_select_digit<Source>, grid, kSelectThreads, 0, device.error, source,
                                      lists.states, lists.histograms, first_row, blocks, capacity, pass));
  }
  return launch(device, sl_select_collect<Source>, grid, kSelectThreads, 0, device.error, source, lists.states,
                lists.items[target], first_row, blocks, capacity);
}

// Sorts the lists in items[target]; the result is in items[target] again, or in the other one: `target` tells.
template <class Item>
Status sort_rows(const Runtime& device, const SortLists<Item>& lists, int64_t rows, int64_t longest, int32_t& target) {
  const int64_t chunks = lists.capacity / kSortItems;
  SILVERLODE_RETURN_IF_ERROR(launch(device, sl_select_sort<Item>, static_cast<unsigned>(rows * chunks), kSelectThreads,
                                    0, device.error, lists.states, lists.items[target], lists.capacity));
  const int64_t most = longest < lists.capacity ? longest : lists.capacity;
  for (int64_t run = kSortItems; run < most; run *= 2) {
    SILVERLODE_RETURN_IF_ERROR(launch(
        device, sl_select_merge<Item>, grid_for(device, rows * lists.capacity, kSelectThreads, 16), kSelectThreads, 0,
        device.error, lists.states, lists.items[target], lists.items[1 - target], rows, lists.capacity, run));
    target = 1 - target;
  }
  return ok_status();
}

}  // namespace silverlode::cuda
