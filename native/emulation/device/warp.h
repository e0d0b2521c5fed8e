// Warp-wide functions: shuffles, votes, matches, reductions. __activemask() is left out: it has no portable meaning.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "emulation/device/thread.h"

namespace silverlode::emulation {

enum class Shuffle { kIndex, kUp, kDown, kXor };
enum class Reduce { kAdd, kMin, kMax, kAnd, kOr, kXor };

// Calls body(arguments of a lane, lane) for every lane of the mask, in ascending order.
template <class Arguments, class Body>
[[gnu::no_sanitize_thread]] void for_each_lane(Warp& warp, unsigned mask, Body body) {
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    body(*static_cast<Arguments*>(warp.lanes[lane].arguments), lane);
  }
}

template <class T>
struct ShuffleArguments {
  T value;
  T result;
  int operand;
  int width;
};

template <Shuffle kind>
[[gnu::no_sanitize_thread]] inline int shuffle_source(int lane, int operand, int width) {
  if constexpr (kind != Shuffle::kIndex) operand &= 31;
  const int first = lane & ~(width - 1);
  const int end = first + width;
  int source = lane;
  if constexpr (kind == Shuffle::kIndex) source = first + (operand & (width - 1));
  if constexpr (kind == Shuffle::kUp) source = lane - operand;
  if constexpr (kind == Shuffle::kDown) source = lane + operand;
  if constexpr (kind == Shuffle::kXor) source = lane ^ operand;
  // xor may reach a lower segment (PTX shfl.bfly checks the upper bound alone), up must not leave its segment downwards.
  if (source >= end || (kind == Shuffle::kUp && source < first)) return lane;
  return source;
}

template <class T, Shuffle kind>
[[gnu::no_sanitize_thread]] void run_shuffle(Warp& warp, unsigned mask) {
  using Arguments = ShuffleArguments<T>;
  for_each_lane<Arguments>(warp, mask, [&](Arguments& own, int lane) {
    const int source = shuffle_source<kind>(lane, own.operand, own.width);
    if (mask >> source & 1) {
      own.result = static_cast<Arguments*>(warp.lanes[source].arguments)->value;
    } else {
      std::memset(static_cast<void*>(&own.result), 0xBD, sizeof(T));  // a lane outside the mask: undefined on a GPU
    }
  });
}

template <Shuffle kind, class T>
[[gnu::no_sanitize_thread]] inline T shuffle(const char* name, unsigned mask, T value, int operand, int width,
                                             Location where) {
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) fault(Fault::kDivergence, "%s: width %d", name, width);
  ShuffleArguments<T> arguments{value, value, operand, width};
  warp_rendezvous(run_shuffle<T, kind>, mask, &arguments, {name, where});
  return arguments.result;
}

struct VoteArguments {
  unsigned long long value;
  unsigned result;
};

[[gnu::no_sanitize_thread]] inline void run_ballot(Warp& warp, unsigned mask) {
  unsigned votes = 0;
  for_each_lane<VoteArguments>(warp, mask,
                               [&](VoteArguments& own, int lane) { votes |= (own.value != 0 ? 1u : 0u) << lane; });
  for_each_lane<VoteArguments>(warp, mask, [&](VoteArguments& own, int) { own.result = votes; });
}

[[gnu::no_sanitize_thread]] inline unsigned ballot(const char* name, unsigned mask, bool vote, Location where) {
  VoteArguments arguments{vote, 0};
  warp_rendezvous(run_ballot, mask, &arguments, {name, where});
  return arguments.result;
}

[[gnu::no_sanitize_thread]] inline void run_match(Warp& warp, unsigned mask) {
  for_each_lane<VoteArguments>(warp, mask, [&](VoteArguments& own, int) {
    own.result = 0;
    for_each_lane<VoteArguments>(warp, mask, [&](VoteArguments& other, int lane) {
      own.result |= (other.value == own.value ? 1u : 0u) << lane;
    });
  });
}

// Lanes of the mask whose bits are those of this lane.
template <class T>
[[gnu::no_sanitize_thread]] inline unsigned match(const char* name, unsigned mask, T value, Location where) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "match takes 32-bit and 64-bit values");
  VoteArguments arguments{0, 0};
  std::memcpy(&arguments.value, &value, sizeof value);
  warp_rendezvous(run_match, mask, &arguments, {name, where});
  return arguments.result;
}

template <class T>
struct ReduceArguments {
  T value;
  T result;
};

template <Reduce kind, class T>
[[gnu::no_sanitize_thread]] inline T combine(T a, T b) {
  if constexpr (kind == Reduce::kAdd) return static_cast<T>(static_cast<unsigned>(a) + static_cast<unsigned>(b));
  if constexpr (kind == Reduce::kMin) return b < a ? b : a;
  if constexpr (kind == Reduce::kMax) return a < b ? b : a;
  if constexpr (kind == Reduce::kAnd) return a & b;
  if constexpr (kind == Reduce::kOr) return a | b;
  if constexpr (kind == Reduce::kXor) return a ^ b;
}

template <Reduce kind, class T>
[[gnu::no_sanitize_thread]] void run_reduce(Warp& warp, unsigned mask) {
  using Arguments = ReduceArguments<T>;
  T total = static_cast<Arguments*>(warp.lanes[std::countr_zero(mask)].arguments)->value;
  for_each_lane<Arguments>(warp, mask & (mask - 1),
                           [&](Arguments& own, int) { total = combine<kind>(total, own.value); });
  for_each_lane<Arguments>(warp, mask, [&](Arguments& own, int) { own.result = total; });
}

template <Reduce kind, class T>
[[gnu::no_sanitize_thread]] inline T reduce(const char* name, unsigned mask, T value, Location where) {
  ReduceArguments<T> arguments{value, value};
  warp_rendezvous(run_reduce<kind, T>, mask, &arguments, {name, where});
  return arguments.result;
}

inline void run_nothing(Warp&, unsigned) {}

}  // namespace silverlode::emulation

inline constexpr int warpSize = 32;  // no macro: cudaDeviceProp has a field of that name

template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
                     std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::shuffle<emulation::Shuffle::kIndex>("__shfl_sync", mask, value, lane, width, where);
}

template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                        std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::shuffle<emulation::Shuffle::kUp>("__shfl_up_sync", mask, value, static_cast<int>(delta), width,
                                                     where);
}

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                          std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::shuffle<emulation::Shuffle::kDown>("__shfl_down_sync", mask, value, static_cast<int>(delta), width,
                                                       where);
}

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                         std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::shuffle<emulation::Shuffle::kXor>("__shfl_xor_sync", mask, value, lanes, width, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location where = std::source_location::current()) {
  return silverlode::emulation::ballot("__ballot_sync", mask, predicate != 0, where);
}

inline int __any_sync(unsigned mask, int predicate, std::source_location where = std::source_location::current()) {
  return silverlode::emulation::ballot("__any_sync", mask, predicate != 0, where) != 0;
}

inline int __all_sync(unsigned mask, int predicate, std::source_location where = std::source_location::current()) {
  return silverlode::emulation::ballot("__all_sync", mask, predicate == 0, where) == 0;
}

template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, std::source_location where = std::source_location::current()) {
  return silverlode::emulation::match("__match_any_sync", mask, value, where);
}

template <class T>
inline unsigned __match_all_sync(unsigned mask, T value, int* predicate,
                                 std::source_location where = std::source_location::current()) {
  const unsigned equal = silverlode::emulation::match("__match_all_sync", mask, value, where);
  const unsigned existing = mask & silverlode::emulation::current->warp->existing;
  *predicate = equal == existing;
  return *predicate ? mask : 0;
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kAdd>("__reduce_add_sync", mask, value, where);
}

inline int __reduce_add_sync(unsigned mask, int value, std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kAdd>("__reduce_add_sync", mask, value, where);
}

inline unsigned __reduce_min_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kMin>("__reduce_min_sync", mask, value, where);
}

inline int __reduce_min_sync(unsigned mask, int value, std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kMin>("__reduce_min_sync", mask, value, where);
}

inline unsigned __reduce_max_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kMax>("__reduce_max_sync", mask, value, where);
}

inline int __reduce_max_sync(unsigned mask, int value, std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kMax>("__reduce_max_sync", mask, value, where);
}

inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kAnd>("__reduce_and_sync", mask, value, where);
}

inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kOr>("__reduce_or_sync", mask, value, where);
}

inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  return emulation::reduce<emulation::Reduce::kXor>("__reduce_xor_sync", mask, value, where);
}

inline void __syncwarp(unsigned mask = 0xffffffffu, std::source_location where = std::source_location::current()) {
  namespace emulation = silverlode::emulation;
  emulation::warp_rendezvous(emulation::run_nothing, mask, nullptr, {"__syncwarp", where});
}
