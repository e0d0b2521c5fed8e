// The best keys of a list by one block of kSelectThreads: a radix selection, and taking out what it found.
#pragma once

#include "backends/cuda/device/grid_select.cuh"

namespace silverlode::cuda {

namespace {

// Finds the cut from which on there are the best `wanted` of n keys and at most `capacity`; key_at(i) gives the keys.
template <class KeyAt>
__device__ void find_cut(SelectState& state, uint32_t* bins, uint32_t n, uint32_t wanted, uint32_t capacity,
                         const KeyAt& key_at) {
  if (threadIdx.x == 0) {
    state = {};
    state.needed = wanted;
  }
  __syncthreads();
  for (int pass = 0; state.done == 0; ++pass) {
    for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kSelectThreads) bins[i] = 0;
    __syncthreads();
    for (uint32_t first = 0; first < n; first += kSelectThreads) {
      const uint32_t at = first + threadIdx.x;
      add_to_bin(bins, rank_digit(at < n ? key_at(at) : empty_item<RankKey>(), state.cut, pass));
    }
    __syncthreads();
    const Bin bin = bin_of_rank(bins, state.needed);
    if (threadIdx.x == 0) narrow<RankKey>(state, bin, pass, capacity);
    __syncthreads();
  }
}

// Moves what is selected of `from` to `to`, in order, and returns how many that are. The two may be the same: what is kept never
// moves behind where it was read. `state` is what find_cut left.
__device__ inline uint32_t compact(SelectState& state, const RankKey* from, uint32_t n, RankKey* to) {
  const SelectState known = {state.cut, state.needed, 0, 0, state.ties, 0, 0, 0};
  uint32_t kept = 0;
  for (uint32_t first = 0; first < n; first += kSelectThreads) {
    const uint32_t at = first + threadIdx.x;
    const RankKey key = at < n ? from[at] : empty_item<RankKey>();
    const bool keep = at < n && selected(state, known, key);
    const ScanResult<uint32_t> sum = block_scan<kSelectThreads>(keep ? 1u : 0u);
    if (keep) to[kept + sum.before] = key;
    kept += sum.total;
    __syncthreads();
  }
  return kept;
}

}  // namespace

}  // namespace silverlode::cuda
