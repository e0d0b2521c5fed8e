// What the compiler calls in code built with -fsanitize=thread. Linking this file, which instrumented kernels cause, is what
// turns the checker on.
#include <cstdint>

#include "emulation/src/checker.h"

namespace silverlode::emulation {

namespace {

Checker& checker() {
  static auto* const kChecker = new Checker;  // never freed: host threads may outlive static destructors
  return *kChecker;
}

[[maybe_unused]] const bool kRegistered = [] {
  observer = &checker();
  return true;
}();

// A stack never needs a check: a thread's own is its own, and collectives work on those of others on purpose.
constexpr uintptr_t kNear = 64 << 10;

inline void check(const volatile void* memory, size_t bytes, AccessKind kind, const void* code) {
  if (current == nullptr) return;  // host code that was instrumented too
  const auto distance = reinterpret_cast<uintptr_t>(memory) - reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (distance + kNear < 2 * kNear) return;
  checker().check(const_cast<const void*>(memory), bytes, kind, code);
}

}  // namespace

}  // namespace silverlode::emulation

using silverlode::emulation::AccessKind;
using silverlode::emulation::check;

// The names are the compiler's, one for each size: macros write them down.
#define SILVERLODE_PLAIN(bytes, name, kind) \
  void __tsan_##name##bytes(void* memory) { check(memory, bytes, kind, __builtin_return_address(0)); }

#define SILVERLODE_ACCESSES(bytes)                                          \
  SILVERLODE_PLAIN(bytes, read, AccessKind::kRead)                          \
  SILVERLODE_PLAIN(bytes, write, AccessKind::kWrite)                        \
  SILVERLODE_PLAIN(bytes, unaligned_read, AccessKind::kRead)                \
  SILVERLODE_PLAIN(bytes, unaligned_write, AccessKind::kWrite)              \
  SILVERLODE_PLAIN(bytes, volatile_read, AccessKind::kAtomicRead)           \
  SILVERLODE_PLAIN(bytes, volatile_write, AccessKind::kAtomicWrite)         \
  SILVERLODE_PLAIN(bytes, unaligned_volatile_read, AccessKind::kAtomicRead) \
  SILVERLODE_PLAIN(bytes, unaligned_volatile_write, AccessKind::kAtomicWrite)

#define SILVERLODE_UPDATE(bits, type, name)                                              \
  type __tsan_atomic##bits##_##name(volatile type* memory, type value, int) {            \
    check(memory, sizeof(type), AccessKind::kAtomicUpdate, __builtin_return_address(0)); \
    return __atomic_##name(memory, value, __ATOMIC_SEQ_CST);                             \
  }

#define SILVERLODE_COMPARE(bits, type, strength)                                                                       \
  int __tsan_atomic##bits##_compare_exchange_##strength(volatile type* memory, type* expected, type value, int, int) { \
    check(memory, sizeof(type), AccessKind::kAtomicUpdate, __builtin_return_address(0));                               \
    return __atomic_compare_exchange_n(memory, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
  }

#define SILVERLODE_ATOMICS(bits, type)                                                   \
  type __tsan_atomic##bits##_load(const volatile type* memory, int) {                    \
    check(memory, sizeof(type), AccessKind::kAtomicRead, __builtin_return_address(0));   \
    return __atomic_load_n(memory, __ATOMIC_SEQ_CST);                                    \
  }                                                                                      \
  void __tsan_atomic##bits##_store(volatile type* memory, type value, int) {             \
    check(memory, sizeof(type), AccessKind::kAtomicWrite, __builtin_return_address(0));  \
    __atomic_store_n(memory, value, __ATOMIC_SEQ_CST);                                   \
  }                                                                                      \
  type __tsan_atomic##bits##_exchange(volatile type* memory, type value, int) {          \
    check(memory, sizeof(type), AccessKind::kAtomicUpdate, __builtin_return_address(0)); \
    return __atomic_exchange_n(memory, value, __ATOMIC_SEQ_CST);                         \
  }                                                                                      \
  SILVERLODE_UPDATE(bits, type, fetch_add)                                               \
  SILVERLODE_UPDATE(bits, type, fetch_sub)                                               \
  SILVERLODE_UPDATE(bits, type, fetch_and)                                               \
  SILVERLODE_UPDATE(bits, type, fetch_or)                                                \
  SILVERLODE_UPDATE(bits, type, fetch_xor)                                               \
  SILVERLODE_COMPARE(bits, type, strong)                                                 \
  SILVERLODE_COMPARE(bits, type, weak)

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}
void __tsan_vptr_read(void*) {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
void __tsan_read_range(void* memory, long bytes) {
  check(memory, static_cast<size_t>(bytes), AccessKind::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* memory, long bytes) {
  check(memory, static_cast<size_t>(bytes), AccessKind::kWrite, __builtin_return_address(0));
}
SILVERLODE_ACCESSES(1)
SILVERLODE_ACCESSES(2)
SILVERLODE_ACCESSES(4)
SILVERLODE_ACCESSES(8)
SILVERLODE_ACCESSES(16)
SILVERLODE_ATOMICS(8, unsigned char)
SILVERLODE_ATOMICS(16, unsigned short)
SILVERLODE_ATOMICS(32, unsigned)
SILVERLODE_ATOMICS(64, unsigned long)
}
