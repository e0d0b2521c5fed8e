// The one selection engine of the CPU backend: the best k of a stream of rank keys (core/order.h) in the caller's memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/order.h"

namespace silverlode::cpu {

// Moves the k largest of n keys to the front, in any order, and returns the smallest of them. 1 <= k <= n.
RankKey select_top(RankKey* keys, int64_t n, int64_t k);

// Sorts n keys, largest first. `scratch` has room for n keys and does not overlap them.
void sort_descending(RankKey* keys, int64_t n, RankKey* scratch);

// Keeps the k largest keys it is given. Keys that cannot be among them are refused; the others are appended, and whenever
// the storage is full all but the best k are dropped, which raises the bar. The result depends only on the set of keys.
class Collector {
 public:
  // Keys of storage that a collector of k needs: at least 2k, so that sorting finds its scratch in there; never less for a
  // larger k, so that storage for k serves any smaller one.
  static constexpr int64_t capacity(int64_t k) {
    return k + std::max<int64_t>({256, std::min<int64_t>(3 * k, 3072), k});
  }

  // `count` keys, at most k, may be in the storage already.
  Collector(RankKey* storage, int64_t k, int64_t count = 0)
      : keys_(storage), k_(k), capacity_(capacity(k)), count_(count) {
    if (k == 0) {
      threshold_ = ~RankKey{0};
      floor_ = std::numeric_limits<float>::infinity();
    }
  }

  // A score below the floor cannot enter; NaN compares false and is left to push.
  float floor() const { return floor_; }

  // Refuses keys with scores below `score` from now on.
  void raise_floor(float score) {
    threshold_ = std::max(threshold_, static_cast<RankKey>(ordered_score(score)) << 32);
    floor_ = key_score(threshold_);
  }

  void push(RankKey key) {
    if (key <= threshold_) return;
    keys_[count_++] = key;
    if (count_ == capacity_) shrink();
  }

  void push_all(const RankKey* keys, int64_t n) {
    for (int64_t i = 0; i < n; ++i) push(keys[i]);
  }

  // Drops all but the best k; returns how many keys there are.
  int64_t shrink();
  // Whether there are k keys, and then the score of the k-th best of them. Shrinks.
  bool has_all() { return shrink() == k_ && k_ > 0; }
  float kth() const { return floor_; }

  // Shrinks and sorts, largest first; returns how many keys there are.
  int64_t finish();
  const RankKey* keys() const { return keys_; }

 private:
  RankKey* keys_;
  int64_t k_;
  int64_t capacity_;
  int64_t count_;
  RankKey threshold_ = kEmptyKey;  // the k-th best key so far, once there are k
  float floor_ = -std::numeric_limits<float>::infinity();
};

}  // namespace silverlode::cpu
