// Bits of a word in code built for any processor of an architecture, where std::popcount may be a call of a table lookup.
#pragma once

#include <cstdint>

namespace silverlode {

// Set bits, added in pairs, nibbles and bytes (Warren, Hacker's Delight, 5-1).
inline int64_t count_bits(uint64_t word) {
  word -= word >> 1 & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<int64_t>(word * 0x0101010101010101u >> 56);
}

}  // namespace silverlode
