// What is selected and sorted: rank keys (core/order.h), alone or with a place that decides between equal keys.
#pragma once

#include "core/order.h"

namespace silverlode::cuda {

// Larger keys rank first, then lower places.
struct PlacedKey {
  RankKey key;
  uint64_t place;  // below 2^32
};

__device__ inline RankKey rank_key(RankKey item) { return item; }
__device__ inline RankKey rank_key(const PlacedKey& item) { return item.key; }

__device__ inline bool ranks_before(RankKey a, RankKey b) { return a > b; }
__device__ inline bool ranks_before(const PlacedKey& a, const PlacedKey& b) {
  return a.key > b.key || (a.key == b.key && a.place < b.place);
}

template <class Item>
__device__ Item empty_item();
template <>
__device__ inline RankKey empty_item<RankKey>() {
  return kEmptyKey;
}
template <>
__device__ inline PlacedKey empty_item<PlacedKey>() {
  return {kEmptyKey, 0xffffffffu};
}

// An item as 32-bit words, most significant first: items rank as these words compare, larger first.
template <class Item>
constexpr int kRankWords = sizeof(Item) == sizeof(RankKey) ? 2 : 3;

template <int kWord>
__device__ uint32_t rank_word(RankKey item) {
  return static_cast<uint32_t>(kWord == 0 ? item >> 32 : item);
}
template <int kWord>
__device__ uint32_t rank_word(const PlacedKey& item) {
  return kWord == 2 ? ~static_cast<uint32_t>(item.place) : rank_word<kWord>(item.key);
}

// The lowest item that is still wanted.
struct Cut {
  uint32_t words[3];
};

template <int kWord, class Item>
__device__ int compare_from(const Item& item, const Cut& cut) {
  if constexpr (kWord == kRankWords<Item>) {
    return 0;
  } else {
    const uint32_t word = rank_word<kWord>(item);
    if (word != cut.words[kWord]) return word > cut.words[kWord] ? 1 : -1;
    return compare_from<kWord + 1>(item, cut);
  }
}

// Above the cut: positive; the cut itself: 0.
template <class Item>
__device__ int compare(const Item& item, const Cut& cut) {
  return compare_from<0>(item, cut);
}

}  // namespace silverlode::cuda
