// binary16 and bfloat16: every value, rounding of floats, and arithmetic that rounds once.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstring>
#include <random>

#include "core/half.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

__global__ void sl_decode(float* half_values, float* bfloat_values) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const auto bits = static_cast<unsigned short>(i);
  half_values[i] = __half2float(__ushort_as_half(bits));
  bfloat_values[i] = __bfloat162float(__ushort_as_bfloat16(bits));
}

TEST(Half, EveryValueDecodes) {
  DeviceArray<float> halves(65536), bfloats(65536);
  ASSERT_EQ(run({.grid = 256, .block = 256}, sl_decode, halves.data(), bfloats.data()), cudaSuccess);
  const std::vector<float> half_got = halves.values(), bfloat_got = bfloats.values();
  for (unsigned i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    for (const auto& [got, want] : {std::pair(half_got[i], f16_to_float(bits)), {bfloat_got[i], bf16_to_float(bits)}}) {
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got)) << i;
      } else {
        ASSERT_EQ(float_bits(got), float_bits(want)) << i;
      }
    }
  }
}

__global__ void sl_encode(const float* in, unsigned short* halves, unsigned short* bfloats, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  halves[i] = __half_as_ushort(__float2half_rn(in[i]));
  bfloats[i] = __bfloat16_as_ushort(__float2bfloat16_rn(in[i]));
}

TEST(Half, FloatsRoundToNearestEven) {
  std::mt19937 random(5);
  std::vector<float> in;
  for (unsigned i = 0; i < 65536; ++i) {  // every half, and the middle between it and the next
    const float value = f16_to_float(static_cast<uint16_t>(i));
    if (!std::isfinite(value)) continue;
    in.push_back(value);
    in.push_back(value + (f16_to_float(static_cast<uint16_t>(i + 1)) - value) / 2);
  }
  for (int i = 0; i < 50000; ++i) in.push_back(bits_float(static_cast<uint32_t>(random())));
  std::erase_if(in, [](float value) { return std::isnan(value); });
  const auto n = static_cast<unsigned>(in.size());
  DeviceArray<float> input(in);
  DeviceArray<unsigned short> halves(n), bfloats(n);
  ASSERT_EQ(run({.grid = (n + 255) / 256, .block = 256}, sl_encode, input.data(), halves.data(), bfloats.data(), n),
            cudaSuccess);
  const std::vector<unsigned short> half_got = halves.values(), bfloat_got = bfloats.values();
  for (unsigned i = 0; i < n; ++i) {
    ASSERT_EQ(half_got[i], float_to_f16(in[i])) << in[i];
    ASSERT_EQ(bfloat_got[i], float_to_bf16(in[i])) << in[i];
  }
}

struct HalfResults {
  unsigned short sum, product, fused, quotient;
};

__global__ void sl_arithmetic(const unsigned short* bits, HalfResults* halves, HalfResults* bfloats, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const __half a = __ushort_as_half(bits[3 * i]), b = __ushort_as_half(bits[3 * i + 1]);
  const __half c = __ushort_as_half(bits[3 * i + 2]);
  halves[i] = {__half_as_ushort(__hadd(a, b)), __half_as_ushort(__hmul(a, b)), __half_as_ushort(__hfma(a, b, c)),
               __half_as_ushort(__float2half_rn(__half2float(a) / __half2float(b)))};
  const __nv_bfloat16 x = __ushort_as_bfloat16(bits[3 * i]), y = __ushort_as_bfloat16(bits[3 * i + 1]);
  const __nv_bfloat16 z = __ushort_as_bfloat16(bits[3 * i + 2]);
  bfloats[i] = {__bfloat16_as_ushort(__hadd(x, y)), __bfloat16_as_ushort(__hmul(x, y)),
                __bfloat16_as_ushort(__hfma(x, y, z)),
                __bfloat16_as_ushort(__float2bfloat16_rn(__bfloat162float(x) / __bfloat162float(y)))};
}

TEST(Half, ArithmeticRoundsOnce) {
  std::mt19937 random(6);
  constexpr unsigned kN = 20000;
  std::vector<unsigned short> bits(3 * kN);  // of values near 1, where sums and products interact
  for (unsigned short& b : bits) b = static_cast<unsigned short>(0x3800 + random() % 0x800);
  DeviceArray<unsigned short> input(bits);
  DeviceArray<HalfResults> halves(kN), bfloats(kN);
  ASSERT_EQ(
      run({.grid = (kN + 127) / 128, .block = 128}, sl_arithmetic, input.data(), halves.data(), bfloats.data(), kN),
      cudaSuccess);
  const std::vector<HalfResults> half_got = halves.values(), bfloat_got = bfloats.values();
  for (unsigned i = 0; i < kN; ++i) {
    // Sums and products of two are exact in float or rounded where 16 bits cannot see it; the long double holds a b + c.
    const float a = f16_to_float(bits[3 * i]), b = f16_to_float(bits[3 * i + 1]), c = f16_to_float(bits[3 * i + 2]);
    ASSERT_EQ(half_got[i].sum, float_to_f16(a + b));
    ASSERT_EQ(half_got[i].product, float_to_f16(a * b));
    ASSERT_EQ(half_got[i].quotient, float_to_f16(a / b));
    const double fused = static_cast<double>(a) * b + c;  // exact: all three lie within a factor of 2^12
    ASSERT_LE(std::fabs(f16_to_float(half_got[i].fused) - fused), std::ldexp(1.0, std::ilogb(fused) - 11)) << i;
    const float x = bf16_to_float(bits[3 * i]), y = bf16_to_float(bits[3 * i + 1]), z = bf16_to_float(bits[3 * i + 2]);
    ASSERT_EQ(bfloat_got[i].product, float_to_bf16(x * y));
    ASSERT_EQ(bfloat_got[i].quotient, float_to_bf16(x / y));
    const double bfloat_fused = static_cast<double>(x) * y + z;
    ASSERT_LE(std::fabs(bf16_to_float(bfloat_got[i].fused) - bfloat_fused),
              std::ldexp(1.0, std::ilogb(bfloat_fused) - 8))
        << i;
  }
}

__global__ void sl_pairs(float2* out) {
  const __half2 sum = __hfma2(__floats2half2_rn(1.5f, -2), __float2half2_rn(2), __floats2half2_rn(0.25f, 0.5f));
  out[0] = __half22float2(sum);
  out[1] = make_float2(__low2float(sum), __high2float(sum));
  out[2] = __bfloat1622float2(__hadd2(__floats2bfloat162_rn(1, 2), __float22bfloat162_rn(make_float2(0.5f, 0.25f))));
}

TEST(Half, Pairs) {
  DeviceArray<float2> out(3);
  ASSERT_EQ(run({.block = 1}, sl_pairs, out.data()), cudaSuccess);
  const std::vector<float2> got = out.values();
  for (const float2& pair : {got[0], got[1]}) {
    EXPECT_EQ(pair.x, 3.25f);
    EXPECT_EQ(pair.y, -3.5f);
  }
  EXPECT_EQ(got[2].x, 1.5f);
  EXPECT_EQ(got[2].y, 2.25f);
}

}  // namespace

}  // namespace silverlode::device_test
