// Written from the public xxHash specification: four lanes over stripes of 32 bytes, merged, then the tail, then a
// final mix. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#include "snapshot/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace silverlode::snapshot {
namespace {

// The digest is defined over little-endian words; every platform of the project is little-endian.
static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5u;

constexpr int64_t kStripeBytes = 32;

template <class Word>
uint64_t load(const uint8_t* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

uint64_t round(uint64_t lane, uint64_t word) { return std::rotl(lane + word * kPrime2, 31) * kPrime1; }

uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ round(0, lane)) * kPrime1 + kPrime4; }

}  // namespace

uint64_t xxh64(const void* data, int64_t bytes) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  int64_t left = bytes;

  uint64_t hash = kPrime5;
  if (left >= kStripeBytes) {
    uint64_t lane1 = kPrime1 + kPrime2, lane2 = kPrime2, lane3 = 0, lane4 = 0 - kPrime1;
    for (; left >= kStripeBytes; left -= kStripeBytes, at += kStripeBytes) {
      lane1 = round(lane1, load<uint64_t>(at));
      lane2 = round(lane2, load<uint64_t>(at + 8));
      lane3 = round(lane3, load<uint64_t>(at + 16));
      lane4 = round(lane4, load<uint64_t>(at + 24));
    }
    hash = std::rotl(lane1, 1) + std::rotl(lane2, 7) + std::rotl(lane3, 12) + std::rotl(lane4, 18);
    for (uint64_t lane : {lane1, lane2, lane3, lane4}) hash = merge(hash, lane);
  }
  hash += static_cast<uint64_t>(bytes);

  for (; left >= 8; left -= 8, at += 8) {
    hash = std::rotl(hash ^ round(0, load<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  }
  if (left >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4;
    at += 4;
  }
  for (; left > 0; --left, ++at) hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;

  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

uint64_t chunk_digest(const void* data, int64_t bytes, int64_t chunk) {
  const int64_t begin = chunk * kChecksumChunkBytes;
  return xxh64(static_cast<const uint8_t*>(data) + begin, std::min(kChecksumChunkBytes, bytes - begin));
}

uint64_t combine_digests(const uint64_t* digests, int64_t n) {
  return n == 1 ? digests[0] : xxh64(digests, n * static_cast<int64_t>(sizeof *digests));
}

uint64_t tensor_checksum(const void* data, int64_t bytes) {
  std::vector<uint64_t> digests(static_cast<size_t>(chunk_count(bytes)));
  for (size_t chunk = 0; chunk < digests.size(); ++chunk) {
    digests[chunk] = chunk_digest(data, bytes, static_cast<int64_t>(chunk));
  }
  return combine_digests(digests.data(), static_cast<int64_t>(digests.size()));
}

}  // namespace silverlode::snapshot
