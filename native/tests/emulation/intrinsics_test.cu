// Integer and floating-point intrinsics against plain C++.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

struct Integers {
  unsigned a, b, c;
};

constexpr int kIntegerResults = 22;

__device__ void integer_results(const Integers& in, unsigned* out) {
  const unsigned long long wide = static_cast<unsigned long long>(in.a) << 32 | in.b;
  const auto a = static_cast<int>(in.a), b = static_cast<int>(in.b), c = static_cast<int>(in.c);
  out[0] = static_cast<unsigned>(__popc(in.a));
  out[1] = static_cast<unsigned>(__popcll(wide));
  out[2] = static_cast<unsigned>(__clz(a));
  out[3] = static_cast<unsigned>(__clzll(static_cast<long long>(wide)));
  out[4] = static_cast<unsigned>(__ffs(a));
  out[5] = static_cast<unsigned>(__ffsll(static_cast<long long>(wide)));
  out[6] = __brev(in.a);
  out[7] = static_cast<unsigned>(__brevll(wide) >> 32);
  out[8] = __byte_perm(in.a, in.b, in.c);
  out[9] = __funnelshift_l(in.a, in.b, in.c);
  out[10] = __funnelshift_r(in.a, in.b, in.c);
  out[11] = __funnelshift_lc(in.a, in.b, in.c % 64);
  out[12] = __funnelshift_rc(in.a, in.b, in.c % 64);
  out[13] = static_cast<unsigned>(__dp4a(a, b, c));
  out[14] = __dp4a(in.a, in.b, in.c);
  out[15] = __umulhi(in.a, in.b);
  out[16] = static_cast<unsigned>(__mulhi(a, b));
  out[17] = static_cast<unsigned>(__umul64hi(wide, wide) >> 32);
  out[18] = static_cast<unsigned>(__mul64hi(static_cast<long long>(wide), -static_cast<long long>(in.c)));
  out[19] = static_cast<unsigned>(min(a, b));
  out[20] = max(in.a, in.b);
  out[21] = __vadd4(in.a, in.b) ^ __vcmpeq4(in.a, in.c);
}

__global__ void sl_integers(const Integers* in, unsigned* out, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) integer_results(in[i], out + i * kIntegerResults);
}

int8_t byte_of(unsigned word, int i) { return static_cast<int8_t>(word >> (8 * i)); }

unsigned reversed(unsigned word) {
  unsigned result = 0;
  for (int bit = 0; bit < 32; ++bit) {
    if (word >> bit & 1) result |= 1u << (31 - bit);
  }
  return result;
}

unsigned permuted(const Integers& in) {
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned selector = in.c >> (4 * i) & 15, index = selector & 7;
    const int8_t byte = byte_of(index < 4 ? in.a : in.b, static_cast<int>(index & 3));
    const unsigned picked = selector & 8 ? (byte < 0 ? 0xffu : 0u) : static_cast<uint8_t>(byte);
    result |= picked << (8 * i);
  }
  return result;
}

std::vector<unsigned> expected_integers(const Integers& in) {
  __extension__ using Wide = __int128;
  const uint64_t wide = static_cast<uint64_t>(in.a) << 32 | in.b, both = static_cast<uint64_t>(in.b) << 32 | in.a;
  const auto a = static_cast<int>(in.a), b = static_cast<int>(in.b);
  unsigned dot = in.c, unsigned_dot = in.c, sums = 0, equal = 0;
  for (int i = 0; i < 4; ++i) {
    dot += static_cast<unsigned>(byte_of(in.a, i) * byte_of(in.b, i));
    unsigned_dot +=
        static_cast<unsigned>(static_cast<uint8_t>(byte_of(in.a, i)) * static_cast<uint8_t>(byte_of(in.b, i)));
    sums |= static_cast<unsigned>(static_cast<uint8_t>(byte_of(in.a, i) + byte_of(in.b, i))) << (8 * i);
    if (byte_of(in.a, i) == byte_of(in.c, i)) equal |= 0xffu << (8 * i);
  }
  const unsigned clamped = std::min(in.c % 64, 32u), shift = in.c % 32;
  return {
      static_cast<unsigned>(std::popcount(in.a)),
      static_cast<unsigned>(std::popcount(wide)),
      static_cast<unsigned>(std::countl_zero(in.a)),
      static_cast<unsigned>(std::countl_zero(wide)),
      in.a == 0 ? 0 : static_cast<unsigned>(std::countr_zero(in.a) + 1),
      wide == 0 ? 0 : static_cast<unsigned>(std::countr_zero(wide) + 1),
      reversed(in.a),
      reversed(in.b),
      permuted(in),
      static_cast<unsigned>(both << shift >> 32),
      static_cast<unsigned>(both >> shift),
      clamped == 32 ? in.a : static_cast<unsigned>(both << clamped >> 32),
      clamped == 32 ? in.b : static_cast<unsigned>(both >> clamped),
      dot,
      unsigned_dot,
      static_cast<unsigned>(static_cast<uint64_t>(in.a) * in.b >> 32),
      static_cast<unsigned>(static_cast<int64_t>(a) * b >> 32),
      static_cast<unsigned>(static_cast<unsigned __int128>(wide) * wide >> 96),
      static_cast<unsigned>(static_cast<Wide>(static_cast<int64_t>(wide)) * -static_cast<Wide>(in.c) >> 64),
      static_cast<unsigned>(std::min(a, b)),
      std::max(in.a, in.b),
      sums ^ equal,
  };
}

TEST(Intrinsics, Integers) {
  std::mt19937 random(11);
  std::vector<Integers> in = {
      {0, 0, 0}, {~0u, ~0u, ~0u}, {1, 0x80000000u, 32}, {0x80000000u, 1, 31}, {0x80808080u, 0x7f7f7f7fu, 0x80}};
  while (in.size() < 300)
    in.push_back({static_cast<unsigned>(random()), static_cast<unsigned>(random()), static_cast<unsigned>(random())});
  const auto n = static_cast<unsigned>(in.size());
  DeviceArray<Integers> input(in);
  DeviceArray<unsigned> output(n * kIntegerResults);
  ASSERT_EQ(run({.grid = (n + 63) / 64, .block = 64}, sl_integers, input.data(), output.data(), n), cudaSuccess);
  const std::vector<unsigned> got = output.values();
  for (unsigned i = 0; i < n; ++i) {
    const std::vector<unsigned> expected = expected_integers(in[i]);
    for (int r = 0; r < kIntegerResults; ++r) {
      ASSERT_EQ(got[i * kIntegerResults + r], expected[r]) << "result " << r << " of input " << i;
    }
  }
}

struct Floats {
  float a, b, c;
};

constexpr int kExactResults = 10;
constexpr int kCloseResults = 7;

// Correctly rounded: the same bits everywhere.
__device__ void exact_results(const Floats& in, float* out) {
  out[0] = __fadd_rn(in.a, in.b);
  out[1] = __fsub_rn(in.a, in.b);
  out[2] = __fmul_rn(in.a, in.b);
  out[3] = __fdiv_rn(in.a, in.b);
  out[4] = __fmaf_rn(in.a, in.b, in.c);
  out[5] = __fsqrt_rn(fabsf(in.a));
  out[6] = __frcp_rn(in.b);
  out[7] = static_cast<float>(__dadd_rn(__dmul_rn(in.a, in.b), __ddiv_rn(in.c, in.b)));
  out[8] = __uint_as_float(__float_as_uint(in.a) ^ 0x80000000u);
  out[9] = __int_as_float(__float_as_int(in.c));
}

__device__ void close_results(const Floats& in, float* out) {
  out[0] = __expf(in.a);
  out[1] = __logf(fabsf(in.a));
  out[2] = __log2f(fabsf(in.a));
  out[3] = rsqrtf(fabsf(in.a));
  out[4] = __fdividef(in.a, in.b);
  out[5] = tanhf(in.a);
  out[6] = __saturatef(in.a);
}

__global__ void sl_floats(const Floats* in, float* exact, float* close, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  exact_results(in[i], exact + i * kExactResults);
  close_results(in[i], close + i * kCloseResults);
}

TEST(Intrinsics, Floats) {
  std::mt19937 random(12);
  std::uniform_real_distribution<float> value(0.01f, 9.0f);
  std::vector<Floats> in(300);
  for (Floats& f : in) f = {random() % 2 ? value(random) : -value(random), value(random), value(random)};
  const auto n = static_cast<unsigned>(in.size());
  DeviceArray<Floats> input(in);
  DeviceArray<float> exact(n * kExactResults), close(n * kCloseResults);
  ASSERT_EQ(run({.grid = (n + 63) / 64, .block = 64}, sl_floats, input.data(), exact.data(), close.data(), n),
            cudaSuccess);
  const std::vector<float> exact_got = exact.values(), close_got = close.values();
  for (unsigned i = 0; i < n; ++i) {
    const auto [a, b, c] = in[i];
    const float size = std::fabs(a);
    const float product = static_cast<float>(static_cast<double>(a) * b + static_cast<double>(c) / b);
    const float exact_want[kExactResults] = {a + b,           a - b, a * b,   a / b, std::fma(a, b, c),
                                             std::sqrt(size), 1 / b, product, -a,    c};
    const float close_want[kCloseResults] = {std::exp(a), std::log(size), std::log2(size),          1 / std::sqrt(size),
                                             a / b,       std::tanh(a),   std::clamp(a, 0.0f, 1.0f)};
    for (int r = 0; r < kExactResults; ++r) {
      ASSERT_EQ(exact_got[i * kExactResults + r], exact_want[r]) << "result " << r << " of input " << i;
    }
    for (int r = 0; r < kCloseResults; ++r) {
      const float slack = 4e-6f * std::max(1.0f, std::fabs(close_want[r]));
      ASSERT_NEAR(close_got[i * kCloseResults + r], close_want[r], slack) << "result " << r << " of input " << i;
    }
  }
}

__global__ void sl_conversions(const float* in, int* out, unsigned* unsigned_out, long long* wide_out) {
  const unsigned i = threadIdx.x;
  out[4 * i] = __float2int_rn(in[i]);
  out[4 * i + 1] = __float2int_rz(in[i]);
  out[4 * i + 2] = __float2int_rd(in[i]);
  out[4 * i + 3] = __float2int_ru(in[i]);
  unsigned_out[i] = __float2uint_rn(in[i]);
  wide_out[i] = __float2ll_rn(in[i]);
}

TEST(Intrinsics, ConversionsRoundAndSaturate) {
  const std::vector<float> in = {0.5f, 1.5f, -1.5f, 2.4999f, -0.7f, 3e9f, -3e9f, NAN, 1e20f};
  const size_t n = in.size();
  DeviceArray<float> input(in);
  DeviceArray<int> out(4 * n);
  DeviceArray<unsigned> unsigned_out(n);
  DeviceArray<long long> wide_out(n);
  ASSERT_EQ(run({.block = static_cast<unsigned>(n)}, sl_conversions, input.data(), out.data(), unsigned_out.data(),
                wide_out.data()),
            cudaSuccess);
  constexpr int kMax = std::numeric_limits<int>::max(), kMin = std::numeric_limits<int>::min();
  EXPECT_EQ(out.values(), (std::vector<int>{0,    0,    0,    1,    2,  1, 1,  2, -2,   -1,   -2,   -1,
                                            2,    2,    2,    3,    -1, 0, -1, 0, kMax, kMax, kMax, kMax,
                                            kMin, kMin, kMin, kMin, 0,  0, 0,  0, kMax, kMax, kMax, kMax}));
  EXPECT_EQ(unsigned_out.values(), (std::vector<unsigned>{0, 2, 0, 2, 0, 3000000000u, 0, 0, ~0u}));
  const std::vector<long long> wide = wide_out.values();
  EXPECT_EQ(wide[5], 3000000000ll);
  EXPECT_EQ(wide[8], std::numeric_limits<long long>::max());
}

__global__ void sl_cache_hints(const uint4* in, uint4* out) {
  const unsigned i = threadIdx.x;
  uint4 value = __ldg(&in[i]);
  value.y += __ldcg(&in[i]).x + __ldcs(&in[i]).x;
  __stcs(&out[i], value);
  __stcg(&out[i + 32].x, __ldca(&in[i].w));
}

TEST(Intrinsics, LoadsAndStoresWithHints) {
  std::vector<uint4> in(32);
  for (unsigned i = 0; i < 32; ++i) in[i] = make_uint4(i, 10 * i, 0, 7 * i);
  DeviceArray<uint4> input(in), output(std::vector<uint4>(64));
  ASSERT_EQ(run({}, sl_cache_hints, input.data(), output.data()), cudaSuccess);
  const std::vector<uint4> got = output.values();
  for (unsigned i = 0; i < 32; ++i) {
    EXPECT_EQ(got[i].y, 12 * i);
    EXPECT_EQ(got[i + 32].x, 7 * i);
  }
}

}  // namespace

}  // namespace silverlode::device_test
