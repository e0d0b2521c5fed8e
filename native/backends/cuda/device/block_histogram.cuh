// One digit of a radix selection: a histogram of items over 2048 bins, and the bin that holds the item of a given rank.
#pragma once

#include "backends/cuda/device/block_scan.cuh"
#include "backends/cuda/device/rank_item.cuh"

namespace silverlode::cuda {

constexpr int kBins = 2048;
constexpr int kSelectThreads = 256;
constexpr int kDigitsPerWord = 3;  // 11, 11 and 10 bits, most significant first

__device__ constexpr int digit_shift(int digit) { return digit == 0 ? 21 : digit == 1 ? 10 : 0; }
__device__ constexpr uint32_t digit_mask(int digit) { return digit == 2 ? 0x3ffu : 0x7ffu; }

struct Digit {
  bool counts;  // the item shares all earlier digits of the cut
  uint32_t bin;
};

template <int kWord, class Item>
__device__ Digit digit_from(const Item& item, const Cut& cut, int word, int digit) {
  if constexpr (kWord == kRankWords<Item>) {
    return {false, 0};
  } else {
    const uint32_t value = rank_word<kWord>(item);
    if (kWord < word) {
      if (value != cut.words[kWord]) return {false, 0};
      return digit_from<kWord + 1>(item, cut, word, digit);
    }
    const bool same = digit == 0 || ((value ^ cut.words[kWord]) >> digit_shift(digit - 1)) == 0;
    return {same, (value >> digit_shift(digit)) & digit_mask(digit)};
  }
}

// Digit `pass` of an item; empty items never count.
template <class Item>
__device__ Digit rank_digit(const Item& item, const Cut& cut, int pass) {
  if (rank_key(item) == kEmptyKey) return {false, 0};
  return digit_from<0>(item, cut, pass / kDigitsPerWord, pass % kDigitsPerWord);
}

// Adds 1 to a bin in shared memory; called by whole warps. Scores of one query share their leading digits, so the bin of the
// first lane is added once for all lanes that have it.
__device__ inline void add_to_bin(uint32_t* bins, const Digit& digit) {
  const unsigned lanes = __ballot_sync(0xffffffffu, digit.counts);
  if (lanes == 0) return;
  const int leader = __ffs(static_cast<int>(lanes)) - 1;
  const uint32_t bin = __shfl_sync(0xffffffffu, digit.bin, leader);
  const bool shared_bin = digit.counts && digit.bin == bin;
  const unsigned same = __ballot_sync(0xffffffffu, shared_bin);
  if (static_cast<int>(threadIdx.x % 32) == leader) {
    atomicAdd(&bins[bin], static_cast<uint32_t>(__popc(same)));
  } else if (digit.counts && !shared_bin) {
    atomicAdd(&bins[digit.bin], 1u);
  }
}

struct Bin {
  uint32_t bin;
  uint32_t above;  // items in higher bins
  uint32_t count;  // items in the bin
  uint32_t total;  // items in all bins
};

// The bin of the item number `rank` (from 1, best first); bin 0 with everything above when there are fewer items. All
// threads of a block of kSelectThreads call it, and get the same answer.
__device__ inline Bin bin_of_rank(const uint32_t* bins, uint32_t rank) {
  struct Found;
  auto& found = shared<Bin, Found>();
  constexpr int kPerThread = kBins / kSelectThreads;
  const int top = kBins - 1 - static_cast<int>(threadIdx.x) * kPerThread;
  uint32_t own = 0;
  for (int i = 0; i < kPerThread; ++i) own += bins[top - i];
  const ScanResult<uint32_t> sum = block_scan<kSelectThreads>(own);
  if (threadIdx.x == 0) found = {0, sum.total, 0, sum.total};
  __syncthreads();
  if (sum.before < rank && rank <= sum.before + own) {
    uint32_t above = sum.before;
    int bin = top;
    while (above + bins[bin] < rank) above += bins[bin--];
    found = {static_cast<uint32_t>(bin), above, bins[bin], sum.total};
  }
  __syncthreads();
  const Bin result = found;
  __syncthreads();
  return result;
}

// How far the selection of one row has come.
struct SelectState {
  Cut cut;          // digits found so far, zeros behind them
  uint32_t needed;  // items still to be found in the bin of the cut
  uint32_t taken;   // items above that bin
  uint32_t done;
  uint32_t ties;    // done, and of the items equal to the cut only `needed` are wanted
  uint32_t ticket;  // blocks that finished the pass
  uint32_t count;   // items collected
  uint32_t equal;   // items equal to the cut that were collected or refused
};

// Takes in the histogram of a pass: narrows the cut, or finds that all items from the cut upwards fit into `capacity`.
template <class Item>
__device__ void narrow(SelectState& state, const Bin& bin, int pass, uint32_t capacity) {
  if (bin.total < state.needed) {  // fewer than wanted, which only the first pass can find: all of them
    state.done = 1;
    return;
  }
  const int digit = pass % kDigitsPerWord;
  state.cut.words[pass / kDigitsPerWord] |= bin.bin << digit_shift(digit);
  state.taken += bin.above;
  state.needed -= bin.above;
  state.done = state.taken + bin.count <= capacity ? 1 : 0;
  if (state.done == 0 && pass == kDigitsPerWord * kRankWords<Item> - 1) state.done = state.ties = 1;
}

}  // namespace silverlode::cuda
