// Atomic functions. They are the host's own atomics, so that a checker of memory accesses sees them as such.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace silverlode::emulation {

template <class T>
using AtomicWord = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

// Replaces *target by update(*target) and returns what was there.
template <class T, class Update>
inline T atomic_update(T* target, Update update) {
  auto* word = reinterpret_cast<AtomicWord<T>*>(target);
  AtomicWord<T> seen = __atomic_load_n(word, __ATOMIC_RELAXED);
  for (;;) {
    const auto next = std::bit_cast<AtomicWord<T>>(update(std::bit_cast<T>(seen)));
    if (__atomic_compare_exchange_n(word, &seen, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
      return std::bit_cast<T>(seen);
    }
  }
}

}  // namespace silverlode::emulation

template <class T>
inline T atomicAdd(T* target, std::type_identity_t<T> value) {
  if constexpr (std::is_integral_v<T>) {
    return __atomic_fetch_add(target, value, __ATOMIC_RELAXED);
  } else {
    return silverlode::emulation::atomic_update(target, [value](T old) -> T { return old + value; });
  }
}

template <class T>
inline T atomicSub(T* target, std::type_identity_t<T> value) {
  return __atomic_fetch_sub(target, value, __ATOMIC_RELAXED);
}

template <class T>
inline T atomicAnd(T* target, std::type_identity_t<T> value) {
  return __atomic_fetch_and(target, value, __ATOMIC_RELAXED);
}

template <class T>
inline T atomicOr(T* target, std::type_identity_t<T> value) {
  return __atomic_fetch_or(target, value, __ATOMIC_RELAXED);
}

template <class T>
inline T atomicXor(T* target, std::type_identity_t<T> value) {
  return __atomic_fetch_xor(target, value, __ATOMIC_RELAXED);
}

template <class T>
inline T atomicMin(T* target, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMin of floats");
  return silverlode::emulation::atomic_update(target, [value](T old) { return value < old ? value : old; });
}

template <class T>
inline T atomicMax(T* target, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMax of floats");
  return silverlode::emulation::atomic_update(target, [value](T old) { return old < value ? value : old; });
}

template <class T>
inline T atomicExch(T* target, std::type_identity_t<T> value) {
  return std::bit_cast<T>(__atomic_exchange_n(reinterpret_cast<silverlode::emulation::AtomicWord<T>*>(target),
                                              std::bit_cast<silverlode::emulation::AtomicWord<T>>(value),
                                              __ATOMIC_RELAXED));
}

template <class T>
inline T atomicCAS(T* target, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "atomicCAS compares integers");
  __atomic_compare_exchange_n(target, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}

inline unsigned atomicInc(unsigned* target, unsigned limit) {
  return silverlode::emulation::atomic_update(target, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}

inline unsigned atomicDec(unsigned* target, unsigned limit) {
  return silverlode::emulation::atomic_update(
      target, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

template <class T>
inline T atomicAdd_block(T* target, std::type_identity_t<T> value) {
  return atomicAdd(target, value);
}

template <class T>
inline T atomicAdd_system(T* target, std::type_identity_t<T> value) {
  return atomicAdd(target, value);
}
