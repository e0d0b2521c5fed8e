#include "backends/cpu/select.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <utility>

namespace silverlode::cpu {

namespace {

constexpr int64_t kFewKeys = 32;  // below this a comparison sort is the fastest selection
constexpr int64_t kSomeKeys = 512;
constexpr int64_t kManyKeys = 4096;  // from here the wider histograms pay
constexpr int64_t kMaxBins = 2048;

// Moves keys >= pivot to the front and returns their number. Without branches: keys arrive in no predictable order.
int64_t partition(RankKey* keys, int64_t n, RankKey pivot) {
  int64_t front = 0;
  for (int64_t i = 0; i < n; ++i) {
    const RankKey key = keys[i];
    keys[i] = keys[front];
    keys[front] = key;
    front += key >= pivot;
  }
  return front;
}

}  // namespace

// Each round splits the range of keys that may hold the k-th one into equal bins and goes on with the bin that does, so
// scores that share sign and exponent, as those of one query do, still spread over the bins.
RankKey select_top(RankKey* keys, int64_t n, int64_t k) {
  RankKey low = ~RankKey{0};
  RankKey high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, keys[i]);
    high = std::max(high, keys[i]);
  }
  if (k == n) return low;
  while (n > kFewKeys && low < high) {
    const int bin_bits = n < kManyKeys ? 8 : 11;
    const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - bin_bits);
    int32_t bins[kMaxBins];
    std::memset(bins, 0, sizeof(int32_t) << bin_bits);
    for (int64_t i = 0; i < n; ++i) ++bins[(keys[i] - low) >> shift];

    int64_t bin = static_cast<int64_t>((high - low) >> shift);
    int64_t above = 0;
    while (above + bins[bin] < k) above += bins[bin--];

    const RankKey bin_low = low + (static_cast<RankKey>(bin) << shift);
    n = partition(keys, n, bin_low);
    if (n == k) return *std::min_element(keys, keys + n);
    if (above > 0) {
      partition(keys, n, bin_low + (RankKey{1} << shift));
      keys += above;
      n -= above;
      k -= above;
    }
    low = bin_low;
    high = bin_low + std::min(high - bin_low, (RankKey{1} << shift) - 1);
  }
  if (low == high) return low;
  std::nth_element(keys, keys + (k - 1), keys + n, std::greater<RankKey>());
  return keys[k - 1];
}

namespace {

// Least significant digit first, on the score half of the keys, largest first.
template <int kBits>
void radix_sort_by_score(RankKey* keys, int64_t n, RankKey* scratch, uint32_t high, int bits) {
  constexpr uint32_t kBins = 1u << kBits;
  RankKey* from = keys;
  RankKey* to = scratch;
  for (int shift = 0; shift < bits; shift += kBits) {
    const auto digit = [=](RankKey key) { return ((high - static_cast<uint32_t>(key >> 32)) >> shift) & (kBins - 1); };
    int32_t starts[kBins] = {0};
    for (int64_t i = 0; i < n; ++i) ++starts[digit(from[i])];
    int32_t start = 0;
    for (int32_t& bin : starts) start += std::exchange(bin, start);
    for (int64_t i = 0; i < n; ++i) to[starts[digit(from[i])]++] = from[i];
    std::swap(from, to);
  }
  if (from != keys) std::memcpy(keys, from, static_cast<size_t>(n) * sizeof(RankKey));
}

// One pass over equal bins of the range of the keys, then neighbours are put right: the keys of one query spread well. False,
// and nothing has moved, where a bin holds many.
template <int kBits>
bool bucket_sort(RankKey* keys, int64_t n, RankKey* scratch) {
  constexpr int32_t kMostInBin = 16;
  RankKey low = ~RankKey{0};
  RankKey high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, keys[i]);
    high = std::max(high, keys[i]);
  }
  const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - kBits);
  int32_t starts[size_t{1} << kBits] = {0};
  for (int64_t i = 0; i < n; ++i) ++starts[(high - keys[i]) >> shift];
  int32_t start = 0;
  int32_t most = 0;
  for (int32_t& bin : starts) {
    most = std::max(most, bin);
    start += std::exchange(bin, start);
  }
  if (most > kMostInBin) return false;
  for (int64_t i = 0; i < n; ++i) scratch[starts[(high - keys[i]) >> shift]++] = keys[i];
  for (int64_t i = 0; i < n; ++i) {
    int64_t to = i;
    for (; to > 0 && keys[to - 1] < scratch[i]; --to) keys[to] = keys[to - 1];
    keys[to] = scratch[i];
  }
  return true;
}

}  // namespace

void sort_descending(RankKey* keys, int64_t n, RankKey* scratch) {
  if (n <= kFewKeys) {
    std::sort(keys, keys + n, std::greater<RankKey>());
    return;
  }
  if (n < kSomeKeys ? bucket_sort<8>(keys, n, scratch) : n < kManyKeys && bucket_sort<11>(keys, n, scratch)) return;
  uint32_t low = ~uint32_t{0};
  uint32_t high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, static_cast<uint32_t>(keys[i] >> 32));
    high = std::max(high, static_cast<uint32_t>(keys[i] >> 32));
  }
  const int bits = static_cast<int>(std::bit_width(high - low));
  if (n < kManyKeys) {
    radix_sort_by_score<8>(keys, n, scratch, high, bits);
  } else {
    radix_sort_by_score<11>(keys, n, scratch, high, bits);
  }
  // Equal scores are rare and mostly in order already.
  for (int64_t begin = 0; begin < n;) {
    int64_t end = begin + 1;
    bool sorted = true;
    for (; end < n && keys[end] >> 32 == keys[begin] >> 32; ++end) sorted = sorted && keys[end] <= keys[end - 1];
    if (!sorted) std::sort(keys + begin, keys + end, std::greater<RankKey>());
    begin = end;
  }
}

int64_t Collector::shrink() {
  if (count_ < k_ || k_ == 0) return count_;
  threshold_ = select_top(keys_, count_, k_);
  floor_ = key_score(threshold_);
  count_ = k_;
  return count_;
}

int64_t Collector::finish() {
  shrink();
  sort_descending(keys_, count_, keys_ + k_);
  return count_;
}

}  // namespace silverlode::cpu
