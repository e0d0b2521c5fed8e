#include <arm_neon.h>

#include <bit>

#include "backends/cpu/simd/filter_counts.h"
#include "backends/cpu/simd/filter_kernels.h"

namespace silverlode::cpu {

namespace {

// Every lane keeps its own bit of the group, so a horizontal sum gathers the bits.
void range32(const int32_t* values, int64_t words, int32_t lo, int32_t hi, uint64_t* mask) {
  const int32x4_t low = vdupq_n_s32(lo);
  const int32x4_t high = vdupq_n_s32(hi);
  const uint32x4_t lane_bits = {1, 2, 4, 8};
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t bits = 0;
    for (int32_t i = 0; i < 64; i += 4) {
      const int32x4_t x = vld1q_s32(values + i);
      const uint32x4_t inside = vandq_u32(vcgeq_s32(x, low), vcleq_s32(x, high));
      bits |= static_cast<uint64_t>(vaddvq_u32(vandq_u32(inside, lane_bits))) << i;
    }
    mask[w] = bits;
  }
}

void range64(const int64_t* values, int64_t words, int64_t lo, int64_t hi, uint64_t* mask) {
  const int64x2_t low = vdupq_n_s64(lo);
  const int64x2_t high = vdupq_n_s64(hi);
  const uint64x2_t lane_bits = {1, 2};
  for (int64_t w = 0; w < words; ++w, values += 64) {
    uint64_t bits = 0;
    for (int32_t i = 0; i < 64; i += 2) {
      const int64x2_t x = vld1q_s64(values + i);
      const uint64x2_t inside = vandq_u64(vcgeq_s64(x, low), vcleq_s64(x, high));
      bits |= vaddvq_u64(vandq_u64(inside, lane_bits)) << i;
    }
    mask[w] = bits;
  }
}

int64_t popcount(const uint64_t* words, int64_t n) {
  int64_t count = 0;
  for (int64_t w = 0; w < n; ++w) count += std::popcount(words[w]);
  return count;
}

void count_ranges(const uint64_t* words, const int32_t* bounds, int64_t n, int32_t* counts) {
  count_ranges_with([](uint64_t word) { return static_cast<int64_t>(std::popcount(word)); }, popcount, words, bounds, n,
                    counts);
}

int64_t list_rows(const uint64_t* words, int64_t n, int32_t first, int32_t* rows) {
  return list_rows_with([](uint64_t word) { return static_cast<int64_t>(std::popcount(word)); }, words, n, first, rows);
}

}  // namespace

const FilterKernels& filter_kernels_neon() {
  static const FilterKernels kernels = {range32, range64, popcount, count_ranges, list_rows};
  return kernels;
}

}  // namespace silverlode::cpu
