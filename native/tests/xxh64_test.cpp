#include "snapshot/xxh64.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace silverlode::snapshot {
namespace {

std::vector<uint8_t> random_bytes(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(static_cast<size_t>(n));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

uint64_t hash_text(const std::string& text) { return xxh64(text.data(), static_cast<int64_t>(text.size())); }

TEST(Xxh64, KnownDigests) {
  EXPECT_EQ(hash_text(""), 0xef46db3751d8e999u);
  EXPECT_EQ(hash_text("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(hash_text("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(xxh64(nullptr, 0), 0xef46db3751d8e999u);
}

// Every length around the stripe, word and byte steps: no byte is ignored, none beyond the end is read.
TEST(Xxh64, EveryByteCountsAndNoneBeyond) {
  for (int64_t n = 0; n <= 100; ++n) {
    std::vector<uint8_t> bytes = random_bytes(n + 1, 7);
    const uint64_t digest = xxh64(bytes.data(), n);
    bytes[static_cast<size_t>(n)] ^= 0xff;
    EXPECT_EQ(xxh64(bytes.data(), n), digest) << n;
    EXPECT_NE(xxh64(bytes.data(), n + 1), digest) << n;
    for (int64_t i = 0; i < n; ++i) {
      bytes[static_cast<size_t>(i)] ^= 1;
      EXPECT_NE(xxh64(bytes.data(), n), digest) << n << " byte " << i;
      bytes[static_cast<size_t>(i)] ^= 1;
    }
  }
}

TEST(Xxh64, AlignmentDoesNotMatter) {
  const std::vector<uint8_t> bytes = random_bytes(1000, 8);
  const uint64_t digest = xxh64(bytes.data(), 1000);
  std::vector<uint8_t> shifted(1064);
  for (size_t shift = 0; shift < 64; ++shift) {
    std::memcpy(shifted.data() + shift, bytes.data(), bytes.size());
    EXPECT_EQ(xxh64(shifted.data() + shift, 1000), digest) << shift;
  }
}

TEST(TensorChecksum, ChunksAreJoinedInOrder) {
  constexpr int64_t kChunk = kChecksumChunkBytes;
  const std::vector<uint8_t> bytes = random_bytes(2 * kChunk + 5, 9);
  const uint8_t* data = bytes.data();

  for (int64_t n : {int64_t{0}, int64_t{1}, kChunk - 1, kChunk}) {
    EXPECT_EQ(chunk_count(n), 1) << n;
    EXPECT_EQ(tensor_checksum(data, n), xxh64(data, n)) << n;
  }
  for (int64_t n : {kChunk + 1, 2 * kChunk, 2 * kChunk + 5}) {
    std::vector<uint64_t> digests;
    for (int64_t begin = 0; begin < n; begin += kChunk)
      digests.push_back(xxh64(data + begin, std::min(kChunk, n - begin)));
    ASSERT_EQ(chunk_count(n), static_cast<int64_t>(digests.size())) << n;
    for (size_t chunk = 0; chunk < digests.size(); ++chunk) {
      EXPECT_EQ(chunk_digest(data, n, static_cast<int64_t>(chunk)), digests[chunk]);
    }
    EXPECT_EQ(tensor_checksum(data, n), xxh64(digests.data(), static_cast<int64_t>(digests.size()) * 8)) << n;
    EXPECT_EQ(combine_digests(digests.data(), static_cast<int64_t>(digests.size())), tensor_checksum(data, n)) << n;
  }
}

}  // namespace
}  // namespace silverlode::snapshot
