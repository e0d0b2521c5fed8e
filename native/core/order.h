// The one order of results: score descending, then ordinal ascending; -0 equals +0; NaN ranks last (contracts 1.4).
// Both parts are packed into one uint64 so that selection compares single integers: the larger key ranks first.
// constexpr, so that CUDA kernels may call these too.
#pragma once

#include <cstdint>

#include "core/half.h"

namespace silverlode {

using RankKey = uint64_t;

// Below every real entry; an empty slot of a list.
constexpr RankKey kEmptyKey = 0;

// Order-preserving map to uint32: NaN -> 1, -inf -> 0x00800000-ish, ..., +inf highest. 0 is never produced.
constexpr uint32_t ordered_score(float score) {
  const uint32_t bits = float_bits(score + 0.0f);  // -0 + 0 = +0
  // Negative ones are inverted, the others get the top bit; without branches, so that loops over scores vectorise.
  const uint32_t flipped = static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u;
  return score != score ? 1 : bits ^ flipped;
}

constexpr float score_of_ordered(uint32_t ordered) {
  if (ordered <= 1) return bits_float(0x7fc00000u);
  return bits_float((ordered & 0x80000000u) ? (ordered & 0x7fffffffu) : ~ordered);
}

constexpr RankKey make_key(float score, uint32_t ordinal) {
  return (static_cast<uint64_t>(ordered_score(score)) << 32) | static_cast<uint32_t>(~ordinal);
}
constexpr float key_score(RankKey key) { return score_of_ordered(static_cast<uint32_t>(key >> 32)); }
constexpr uint32_t key_ordinal(RankKey key) { return ~static_cast<uint32_t>(key); }

}  // namespace silverlode
