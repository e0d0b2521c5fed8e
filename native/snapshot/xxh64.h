// XXH64 (seed 0) and the checksum of a tensor built on it.
//
// A tensor's checksum is defined over chunks of 4 MiB, so that large tensors are hashed on several threads:
//   one chunk (0 to 4 MiB)   XXH64 of the bytes
//   several chunks           XXH64 over the chunks' XXH64s, each written as 8 little-endian bytes
// Callers with a thread pool compute chunk_digest() per chunk in any order and join them with combine_digests().
#pragma once

#include <cstdint>

namespace silverlode::snapshot {

constexpr int64_t kChecksumChunkBytes = 4 << 20;

uint64_t xxh64(const void* data, int64_t bytes);

// Number of chunks of a tensor, at least 1.
constexpr int64_t chunk_count(int64_t bytes) {
  return bytes <= kChecksumChunkBytes ? 1 : (bytes - 1) / kChecksumChunkBytes + 1;
}
// XXH64 of chunk `chunk` of a tensor; chunk in [0, chunk_count(bytes)).
uint64_t chunk_digest(const void* data, int64_t bytes, int64_t chunk);
// Checksum of a tensor from the digests of all its chunks in order; n >= 1.
uint64_t combine_digests(const uint64_t* digests, int64_t n);

// All of the above on the calling thread.
uint64_t tensor_checksum(const void* data, int64_t bytes);

}  // namespace silverlode::snapshot
