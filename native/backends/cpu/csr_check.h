// Checks of rows given as offsets and ids, before an op writes anything.
#pragma once

#include <algorithm>
#include <atomic>

#include "backends/cpu/backend.h"

namespace silverlode::cpu {

// offsets[0] = 0, ascending, offsets[n] = entries.
template <class Offset>
Status check_offsets(ThreadPool& pool, const char* op, const char* name, const Offset* offsets, int64_t n,
                     int64_t entries) {
  constexpr int64_t kChunk = 1 << 16;
  std::atomic<bool> bad = offsets[0] != 0 || offsets[n] != entries;
  pool.parallel_for((n + kChunk - 1) / kChunk, [&](int64_t chunk, int32_t) {
    const int64_t end = std::min(n, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      if (offsets[i] > offsets[i + 1]) bad.store(true, std::memory_order_relaxed);
    }
  });
  if (!bad) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: '%s' must ascend from 0 to %lld", op, name,
                    static_cast<long long>(entries));
}

// Every id in [low, high).
inline Status check_ids(ThreadPool& pool, const char* op, const char* name, const int32_t* ids, int64_t n, int64_t low,
                        int64_t high) {
  constexpr int64_t kChunk = 1 << 16;
  std::atomic<bool> bad = false;
  pool.parallel_for((n + kChunk - 1) / kChunk, [&](int64_t chunk, int32_t) {
    const int64_t end = std::min(n, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      if (ids[i] < low || ids[i] >= high) bad.store(true, std::memory_order_relaxed);
    }
  });
  if (!bad) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: '%s' must lie in [%lld, %lld)", op, name, static_cast<long long>(low),
                    static_cast<long long>(high));
}

}  // namespace silverlode::cpu
