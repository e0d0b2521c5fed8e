// Bodies for PTX wrappers (backends/cuda/device/ptx.cuh): matrix products of a warp, ldmatrix, asynchronous copies. The
// fragment layouts are those of the PTX ISA manual, "Matrix fragments for mma".
#pragma once

#include <cstdint>
#include <cstring>

#include "emulation/device/small_float.h"
#include "emulation/device/warp.h"

namespace silverlode::emulation {

template <class Accumulator>
struct MmaArguments {
  Accumulator* d;
  const unsigned* a;
  const unsigned* b;
};

// Element i of a register that holds several.
inline int int8_of(unsigned word, int i) { return static_cast<int8_t>(word >> (8 * i)); }

template <class Half>
float half_of(unsigned word, int i) {
  return Half::from_bits(static_cast<unsigned short>(word >> (16 * i)));
}

// In every layout lane 4g + t holds, of 32 bits each: A rows g and g + 8, B column g, D columns 2t and 2t + 1 of rows g and
// g + 8. kRows is 8 or 16, kWords the words of an A row.
template <class Element, class Accumulator, int kRows, int kWords, int kPerWord, auto element_of>
[[gnu::no_sanitize_thread]] void run_mma(Warp& warp, unsigned mask) {
  using Arguments = MmaArguments<Accumulator>;
  constexpr int kInner = kWords * kPerWord;
  constexpr int kTall = kRows / 8;
  if (mask != kFullMask) fault(Fault::kDivergence, "mma by less than a whole warp (%08x)", mask);
  Element a[kRows][kInner];
  Element b[kInner][8];
  for_each_lane<Arguments>(warp, mask, [&](Arguments& own, int lane) {
    const int group = lane / 4, member = lane % 4;
    for (int word = 0; word < kWords / 4; ++word) {
      for (int i = 0; i < kPerWord; ++i) {
        const int k = (member + 4 * word) * kPerWord + i;
        for (int half = 0; half < kTall; ++half) a[group + 8 * half][k] = element_of(own.a[word * kTall + half], i);
        b[k][group] = element_of(own.b[word], i);
      }
    }
  });
  using Sum = std::conditional_t<std::is_same_v<Accumulator, float>, double, unsigned>;  // int32 wraps around
  for_each_lane<Arguments>(warp, mask, [&](Arguments& own, int lane) {
    for (int i = 0; i < 2 * kTall; ++i) {
      const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
      Sum sum = static_cast<Sum>(own.d[i]);
      for (int k = 0; k < kInner; ++k) sum += static_cast<Sum>(a[row][k] * b[k][column]);
      own.d[i] = static_cast<Accumulator>(sum);
    }
  });
}

// D += A B. int8, A 16 x 32 by rows, B 32 x 8 by columns.
inline void mma_m16n8k32_s8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                            Location where = Location::current()) {
  MmaArguments<int> arguments{d, a, b};
  warp_rendezvous(run_mma<int, int, 16, 8, 4, int8_of>, kFullMask, &arguments, {"mma.m16n8k32.s8", where});
}

// int8, A 16 x 16 by rows, B 16 x 8 by columns.
inline void mma_m16n8k16_s8(int (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1],
                            Location where = Location::current()) {
  MmaArguments<int> arguments{d, a, b};
  warp_rendezvous(run_mma<int, int, 16, 4, 4, int8_of>, kFullMask, &arguments, {"mma.m16n8k16.s8", where});
}

// int8, A 8 x 16 by rows, B 16 x 8 by columns.
inline void mma_m8n8k16_s8(int (&d)[2], const unsigned (&a)[1], const unsigned (&b)[1],
                           Location where = Location::current()) {
  MmaArguments<int> arguments{d, a, b};
  warp_rendezvous(run_mma<int, int, 8, 4, 4, int8_of>, kFullMask, &arguments, {"mma.m8n8k16.s8", where});
}

// binary16 or bfloat16 with float sums, A 16 x 16 by rows, B 16 x 8 by columns. A GPU may sum in any order; here the sum is
// exact to double and rounded once.
template <class Half>
inline void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                         Location where = Location::current()) {
  MmaArguments<float> arguments{d, a, b};
  warp_rendezvous(run_mma<float, float, 16, 8, 2, half_of<Half>>, kFullMask, &arguments, {"mma.m16n8k16", where});
}

struct LoadMatrixArguments {
  const void* row;
  unsigned* words;
  int n_matrices;
  bool transposed;
};

// Lane l points to row l % 8 of matrix l / 8, each of 8 x 8 values of 16 bits; word m of lane 4g + t becomes the values
// (g, 2t) and (g, 2t + 1) of matrix m, or (2t, g) and (2t + 1, g) if it is transposed.
[[gnu::no_sanitize_thread]] inline void run_load_matrix(Warp& warp, unsigned mask) {
  using Arguments = LoadMatrixArguments;
  const auto value = [&](int matrix, int row, int column) {
    uint16_t bits = 0;
    const auto* source = static_cast<const Arguments*>(warp.lanes[matrix * 8 + row].arguments)->row;
    std::memcpy(&bits, static_cast<const char*>(source) + 2 * column, 2);
    return static_cast<unsigned>(bits);
  };
  for_each_lane<Arguments>(warp, mask, [&](Arguments& own, int lane) {
    const int group = lane / 4, pair = 2 * (lane % 4);
    for (int m = 0; m < own.n_matrices; ++m) {
      const unsigned low = own.transposed ? value(m, pair, group) : value(m, group, pair);
      const unsigned high = own.transposed ? value(m, pair + 1, group) : value(m, group, pair + 1);
      own.words[m] = low | high << 16;
    }
  });
}

// ldmatrix.m8n8.x1, .x2, .x4 with or without .trans. Lanes that name no row of a matrix may pass any pointer.
template <int kMatrices>
inline void load_matrix(unsigned (&words)[kMatrices], const void* row, bool transposed = false,
                        Location where = Location::current()) {
  if (static_cast<int>(current->lane) < 8 * kMatrices) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
      fault(Fault::kIllegalAddress, "ldmatrix: a row is not aligned to 16 bytes");
    }
    // The lane reads its own row here, where a checker sees it.
    volatile const unsigned* read = static_cast<const unsigned*>(row);
    for (int i = 0; i < 4; ++i) static_cast<void>(read[i]);
  }
  LoadMatrixArguments arguments{row, words, kMatrices, transposed};
  warp_rendezvous(run_load_matrix, kFullMask, &arguments, {"ldmatrix", where});
}

template <unsigned kBytes>
inline void land_copy(void* target, const void* source, unsigned bytes) {
  for (unsigned i = 0; i < kBytes; i += 4) {
    static_cast<unsigned*>(target)[i / 4] = i < bytes ? static_cast<const unsigned*>(source)[i / 4] : 0;
  }
}

inline void land_copy(const AsyncCopy& copy) {
  switch (copy.width) {
    case 4: return land_copy<4>(copy.target, copy.source, copy.bytes);
    case 8: return land_copy<8>(copy.target, copy.source, copy.bytes);
    default: return land_copy<16>(copy.target, copy.source, copy.bytes);
  }
}

// cp.async of 4, 8 or 16 bytes, of which the last (kBytes - bytes) are zeros. It lands at the wait, which shows waits that
// are missing, or at once ("copies=eager"), which shows barriers that are missing before it.
template <unsigned kBytes>
inline void async_copy(void* target, const void* source, unsigned bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  if ((reinterpret_cast<uintptr_t>(target) | reinterpret_cast<uintptr_t>(source)) % kBytes != 0) {
    fault(Fault::kIllegalAddress, "cp.async: an address is not aligned to %u bytes", kBytes);
  }
  const AsyncCopy copy{target, source, kBytes, bytes, current->async_group};
  if (async_copies_land_at_issue()) return land_copy(copy);
  queue_async_copy(copy);
}

[[gnu::no_sanitize_thread]] inline void async_commit() { ++current->async_group; }

// Waits until at most `pending` of the committed groups have not landed.
inline void async_wait(unsigned pending) {
  for (AsyncCopy copy; take_async_copy(pending, &copy);) land_copy(copy);
}

}  // namespace silverlode::emulation
