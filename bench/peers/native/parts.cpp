// What a C++ programmer would write instead: selection by std::nth_element and a forward scan of columns. Called through ctypes.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace {

// Sorts as the float does, as an unsigned number.
uint32_t sortable(float score) {
  uint32_t bits;
  __builtin_memcpy(&bits, &score, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float score_of(uint32_t key) {
  const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float score;
  __builtin_memcpy(&score, &bits, sizeof score);
  return score;
}

}  // namespace

extern "C" {

// The k best of n scores, sorted, ties by index: pairs, std::nth_element, std::sort.
void top_k_pairs(const float* scores, int64_t n, int64_t k, float* best, int32_t* ids) {
  using Entry = std::pair<float, int32_t>;
  static thread_local std::vector<Entry> entries;
  entries.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) entries[static_cast<size_t>(i)] = {scores[i], static_cast<int32_t>(i)};
  const auto better = [](const Entry& a, const Entry& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  if (k < n) std::nth_element(entries.begin(), entries.begin() + k, entries.end(), better);
  std::sort(entries.begin(), entries.begin() + k, better);
  for (int64_t i = 0; i < k; ++i) {
    best[i] = entries[static_cast<size_t>(i)].first;
    ids[i] = entries[static_cast<size_t>(i)].second;
  }
}

// The same with score and index packed into one 64-bit key, whose comparison has no branches.
void top_k_keys(const float* scores, int64_t n, int64_t k, float* best, int32_t* ids) {
  static thread_local std::vector<uint64_t> keys;
  keys.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    keys[static_cast<size_t>(i)] = uint64_t{sortable(scores[i])} << 32 | (0xffffffffu - static_cast<uint32_t>(i));
  if (k < n) std::nth_element(keys.begin(), keys.begin() + k, keys.end(), std::greater<>());
  std::sort(keys.begin(), keys.begin() + k, std::greater<>());
  for (int64_t i = 0; i < k; ++i) {
    const uint64_t key = keys[static_cast<size_t>(i)];
    best[i] = score_of(static_cast<uint32_t>(key >> 32));
    ids[i] = static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(key));
  }
}

// One query on columns in item order, a block of rows at a time, so that what is known of a block stays in the first cache. The
// compiler vectorises each loop. `tags` are three columns, 255 for none. Returns how many match and sets one bit per item.
int64_t forward_scan(const uint8_t* language, const uint8_t* genre, const uint8_t* tags, const uint8_t* in_stock,
                     const int16_t* year, const int32_t* price, int64_t rows, const int32_t* query, uint8_t* mask) {
  constexpr int64_t kBlock = 4096;
  const auto wanted_language = static_cast<uint8_t>(query[0]);
  const auto genre0 = static_cast<uint8_t>(query[1]);
  const auto genre1 = static_cast<uint8_t>(query[2]);
  const auto tag = static_cast<uint8_t>(query[3]);
  const auto first_year = static_cast<int16_t>(query[4]);
  const auto last_year = static_cast<int16_t>(query[5]);
  const int32_t most = query[6];
  alignas(64) uint8_t passes[kBlock];
  int64_t count = 0;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    const int64_t n = std::min(kBlock, rows - begin);
    const uint8_t* t0 = tags + begin;
    const uint8_t* t1 = t0 + rows;
    const uint8_t* t2 = t1 + rows;
    for (int64_t i = 0; i < n; ++i) {
      const uint8_t g = genre[begin + i];
      passes[i] = static_cast<uint8_t>((language[begin + i] == wanted_language) & ((g == genre0) | (g == genre1)) &
                                       (in_stock[begin + i] == 1) & (t0[i] != tag) & (t1[i] != tag) & (t2[i] != tag));
    }
    for (int64_t i = 0; i < n; ++i)
      passes[i] &= static_cast<uint8_t>((year[begin + i] >= first_year) & (year[begin + i] <= last_year));
    for (int64_t i = 0; i < n; ++i) passes[i] &= static_cast<uint8_t>(price[begin + i] <= most);
    for (int64_t i = 0; i < n; i += 8) {
      uint64_t eight = 0;
      __builtin_memcpy(&eight, passes + i, sizeof eight);
      if (n - i < 8) eight &= (uint64_t{1} << (8 * (n - i))) - 1;
      mask[(begin + i) / 8] = static_cast<uint8_t>((eight * 0x0102040810204080u) >> 56);
      count += __builtin_popcountll(eight);
    }
  }
  return count;
}
}
