// Warp-wide functions against their definitions, lane by lane on the host.
#include <bit>
#include <functional>
#include <random>

#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

constexpr unsigned kFull = 0xffffffffu;

enum class Op : int {
  kIndex,
  kUp,
  kDown,
  kXor,
  kBallot,
  kAny,
  kAll,
  kMatchAny,
  kMatchAll,
  kAdd,
  kMin,
  kMax,
  kMinSigned,
  kAnd,
  kOr,
  kBitXor,
};

__device__ unsigned apply(Op op, unsigned mask, unsigned value, int operand, int width) {
  int same = 0;
  switch (op) {
    case Op::kIndex: return __shfl_sync(mask, value, operand, width);
    case Op::kUp: return __shfl_up_sync(mask, value, static_cast<unsigned>(operand), width);
    case Op::kDown: return __shfl_down_sync(mask, value, static_cast<unsigned>(operand), width);
    case Op::kXor: return __shfl_xor_sync(mask, value, operand, width);
    case Op::kBallot: return __ballot_sync(mask, value & 1);
    case Op::kAny: return static_cast<unsigned>(__any_sync(mask, value == 7) != 0);
    case Op::kAll: return static_cast<unsigned>(__all_sync(mask, value < 1000) != 0);
    case Op::kMatchAny: return __match_any_sync(mask, value % 4);
    case Op::kMatchAll: return __match_all_sync(mask, value / 1000, &same) + static_cast<unsigned>(same);
    case Op::kAdd: return __reduce_add_sync(mask, value);
    case Op::kMin: return __reduce_min_sync(mask, value);
    case Op::kMax: return __reduce_max_sync(mask, value);
    case Op::kMinSigned: return static_cast<unsigned>(__reduce_min_sync(mask, static_cast<int>(value) - 500));
    case Op::kAnd: return __reduce_and_sync(mask, value | 3);
    case Op::kOr: return __reduce_or_sync(mask, value);
    case Op::kBitXor: return __reduce_xor_sync(mask, value);
  }
  return 0;
}

// The lanes of the mask do it; the others only keep their value.
__global__ void sl_warp_op(Op op, unsigned mask, int operand, int width, const unsigned* in, unsigned* out) {
  unsigned value = in[threadIdx.x];
  if (mask >> (threadIdx.x % 32) & 1) value = apply(op, mask, value, operand, width);
  out[threadIdx.x] = value;
}

std::vector<unsigned> device_result(Op op, unsigned mask, int operand, int width, const std::vector<unsigned>& in) {
  DeviceArray<unsigned> input(in), output(in.size());
  EXPECT_EQ(run({.block = static_cast<unsigned>(in.size())}, sl_warp_op, op, mask, operand, width, input.data(),
                output.data()),
            cudaSuccess);
  return output.values();
}

std::vector<unsigned> random_values(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<unsigned> values(32);
  for (unsigned& value : values) value = random() % 1000;
  return values;
}

// What the lanes of the mask get: result(lane).
void expect_lanes(const std::vector<unsigned>& got, const std::vector<unsigned>& in, unsigned mask,
                  const std::function<unsigned(int)>& result) {
  for (int lane = 0; lane < 32; ++lane) EXPECT_EQ(got[lane], mask >> lane & 1 ? result(lane) : in[lane]) << lane;
}

TEST(Warp, ShufflesMoveWithinSegments) {
  const std::vector<unsigned> in = random_values(1);
  for (const int width : {32, 16, 8, 4, 2, 1}) {
    for (const int operand : {0, 1, 3, 5, 16, 31}) {
      const auto first = [&](int lane) { return lane / width * width; };
      expect_lanes(device_result(Op::kIndex, kFull, operand, width, in), in, kFull,
                   [&](int lane) { return in[first(lane) + operand % width]; });
      expect_lanes(device_result(Op::kUp, kFull, operand, width, in), in, kFull,
                   [&](int lane) { return in[lane - operand < first(lane) ? lane : lane - operand]; });
      expect_lanes(device_result(Op::kDown, kFull, operand, width, in), in, kFull,
                   [&](int lane) { return in[lane + operand >= first(lane) + width ? lane : lane + operand]; });
      expect_lanes(device_result(Op::kXor, kFull, operand, width, in), in, kFull,
                   [&](int lane) { return in[(lane ^ operand) >= first(lane) + width ? lane : lane ^ operand]; });
    }
  }
}

TEST(Warp, VotesAndReductionsOfAnyMask) {
  const std::vector<unsigned> in = random_values(2);
  for (const unsigned mask : {kFull, 0x0000ffffu, 0x80000001u, 0x00000010u, 0x5555aaaau}) {
    unsigned ballot = 0, sum = 0, low = ~0u, high = 0, all_bits = ~0u, any_bits = 0, odd_bits = 0;
    int low_signed = 1 << 30;
    for (int lane = 0; lane < 32; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      const unsigned value = in[lane];
      ballot |= (value & 1) << lane;
      sum += value;
      low = std::min(low, value);
      high = std::max(high, value);
      low_signed = std::min(low_signed, static_cast<int>(value) - 500);
      all_bits &= value | 3;
      any_bits |= value;
      odd_bits ^= value;
    }
    const auto expect_all = [&](Op op, unsigned result) {
      expect_lanes(device_result(op, mask, 0, 32, in), in, mask, [&](int) { return result; });
    };
    expect_all(Op::kBallot, ballot);
    expect_all(Op::kAll, 1);
    expect_all(Op::kAdd, sum);
    expect_all(Op::kMin, low);
    expect_all(Op::kMax, high);
    expect_all(Op::kMinSigned, static_cast<unsigned>(low_signed));
    expect_all(Op::kAnd, all_bits);
    expect_all(Op::kOr, any_bits);
    expect_all(Op::kBitXor, odd_bits);
    expect_all(Op::kMatchAll, mask + 1);
    expect_lanes(device_result(Op::kMatchAny, mask, 0, 32, in), in, mask, [&](int lane) {
      unsigned equal = 0;
      for (int other = 0; other < 32; ++other) {
        if ((mask >> other & 1) != 0 && in[other] % 4 == in[lane] % 4) equal |= 1u << other;
      }
      return equal;
    });
  }
}

TEST(Warp, AnyAndAllSeeOneLane) {
  std::vector<unsigned> in(32, 0);
  EXPECT_EQ(device_result(Op::kAny, kFull, 0, 32, in)[5], 0u);
  in[30] = 7;
  EXPECT_EQ(device_result(Op::kAny, kFull, 0, 32, in)[5], 1u);
  in[30] = 1000;
  EXPECT_EQ(device_result(Op::kAll, kFull, 0, 32, in)[5], 0u);
  EXPECT_EQ(device_result(Op::kMatchAll, kFull, 0, 32, in)[5], 0u);
}

// Sixteen lanes shuffle while the other sixteen shuffle among themselves, in two branches.
__global__ void sl_two_halves(unsigned* out) {
  const unsigned lane = threadIdx.x;
  if (lane < 16) {
    out[lane] = __shfl_xor_sync(0x0000ffffu, lane, 1) + __shfl_xor_sync(0x0000ffffu, lane, 2);
  } else {
    out[lane] = __shfl_down_sync(0xffff0000u, lane, 1);
  }
  __syncwarp();
  out[lane] += __shfl_sync(kFull, lane, 31);
}

TEST(Warp, DisjointMasksAreIndependent) {
  DeviceArray<unsigned> out(32);
  ASSERT_EQ(run({}, sl_two_halves, out.data()), cudaSuccess);
  const std::vector<unsigned> got = out.values();
  for (unsigned lane = 0; lane < 16; ++lane) EXPECT_EQ(got[lane], (lane ^ 1) + (lane ^ 2) + 31);
  for (unsigned lane = 16; lane < 31; ++lane) EXPECT_EQ(got[lane], lane + 1 + 31);
  EXPECT_EQ(got[31], 31u + 31u);
}

// A short last warp: lanes that do not exist count for nothing.
TEST(Warp, ShortWarp) {
  std::vector<unsigned> in(40, 1);
  EXPECT_EQ(device_result(Op::kAdd, 0xffu, 0, 32, in)[32], 8u);
  EXPECT_EQ(device_result(Op::kAdd, 0xffu, 0, 32, in)[0], 8u);
}

// Whatever is trivially copyable travels, eight bytes as well as four.
__global__ void sl_wide_shuffle(double* doubles, unsigned long long* words, unsigned* matches) {
  const unsigned lane = threadIdx.x;
  doubles[lane] = __shfl_xor_sync(kFull, lane + 0.5, 3);
  words[lane] = __shfl_sync(kFull, 1ull << (lane + 20), static_cast<int>(lane) + 1);
  matches[lane] = __match_any_sync(kFull, static_cast<unsigned long long>(lane / 2) << 40);
}

TEST(Warp, EightByteValues) {
  DeviceArray<double> doubles(32);
  DeviceArray<unsigned long long> words(32);
  DeviceArray<unsigned> matches(32);
  ASSERT_EQ(run({}, sl_wide_shuffle, doubles.data(), words.data(), matches.data()), cudaSuccess);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(doubles.values()[lane], (lane ^ 3) + 0.5);
    EXPECT_EQ(words.values()[lane], 1ull << ((lane + 1) % 32 + 20));
    EXPECT_EQ(matches.values()[lane], 3u << (lane / 2 * 2));
  }
}

}  // namespace

}  // namespace silverlode::device_test
