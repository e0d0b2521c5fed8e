// Our own mathematics against the float64 library over the whole float range, and equal bits on every SIMD level.
#include <cmath>
#include <cstdio>
#include <limits>

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

using cpu::FloatKernels;
using Unary = std::function<void(const FloatKernels&, const float*, float*, int64_t)>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool same(float a, float b) { return (a != a && b != b) || float_bits(a) == float_bits(b); }

double ulp_error(float got, double expected) {
  const float rounded = static_cast<float>(expected);
  if (rounded != rounded || std::isinf(rounded)) return same(got, rounded) ? 0 : 1e9;
  const int exponent = expected == 0 ? -126 : std::max(std::ilogb(expected), -126);
  return std::abs(got - expected) / std::ldexp(1.0, exponent - 23);
}

// Every 2003rd float, then the special ones; 17 at a time so that tails are covered too.
std::vector<float> sweep() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 2003) values.push_back(bits_float(static_cast<uint32_t>(bits)));
  for (float value : {0.0f, 1.0f, 0.5f, 2.0f, 0x1p-149f, 0x1p-126f, 0x1.fffffep127f, 88.72284f, 88.72283f, 103.97208f,
                      104.0f, 0.99999994f, 1.0000001f, kInf, kNan}) {
    values.push_back(value);
    values.push_back(-value);
  }
  return values;
}

void check_unary(const char* name, const Unary& function, double (*exact)(double), double max_ulp, float low = -kInf,
                 float high = kInf) {
  const std::vector<float> x = sweep();
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<float> expected(x.size()), got(x.size());
  function(cpu::float_kernels_serial(), x.data(), expected.data(), n);
  double worst = 0;
  float worst_at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] < low || x[i] > high) continue;
    const double error = ulp_error(expected[i], exact(x[i]));
    if (error > worst) worst = error, worst_at = x[i];
  }
  std::printf("%s: %.3f ulp at %a\n", name, worst, static_cast<double>(worst_at));
  EXPECT_LE(worst, max_ulp) << name;
  for (const cpu::SimdTable* table : supported_levels()) {
    for (int64_t i = 0; i < n; i += 65519)
      function(table->floats, x.data() + i, got.data() + i, std::min<int64_t>(65519, n - i));
    int64_t different = 0;
    for (size_t i = 0; i < x.size(); ++i) different += !same(got[i], expected[i]);
    EXPECT_EQ(different, 0) << name << " on " << table->name;
  }
}

Unary of(ValueOp op) {
  return [op](const FloatKernels& kernels, const float* x, float* y, int64_t n) { kernels.unary(op, x, y, n); };
}
Unary of(Activation activation) {
  return [activation](const FloatKernels& kernels, const float* x, float* y, int64_t n) {
    kernels.activate(x, y, n, activation);
  };
}

TEST(Math, Exp) {
  check_unary("exp", of(ValueOp::kExp), [](double x) { return std::exp(x); }, 1.5);
}
TEST(Math, Log) {
  check_unary("log", of(ValueOp::kLog), [](double x) { return std::log(x); }, 1.5);
}
TEST(Math, Log1p) {
  check_unary("log1p", of(ValueOp::kLog1p), [](double x) { return std::log1p(x); }, 1.5);
}
TEST(Math, Sqrt) {
  check_unary("sqrt", of(ValueOp::kSqrt), [](double x) { return std::sqrt(x); }, 0.5);
}
TEST(Math, Sigmoid) {
  // e^x instead of 1 / (1 + e^-x): accurate for large negative x in float64 as well.
  check_unary(
      "sigmoid", of(ValueOp::kSigmoid),
      [](double x) { return x < -300 ? 0.0
                            : x < 0  ? std::exp(x) / (1 + std::exp(x))
                                     : 1 / (1 + std::exp(-x)); }, 2.5);
}
TEST(Math, Tanh) {
  check_unary("tanh", of(Activation::kTanh), [](double x) { return std::tanh(x); }, 1.5);
}
TEST(Math, ZerosKeepTheirSign) {
  const float zeros[] = {0.0f, -0.0f};
  for (const cpu::SimdTable* table : supported_levels()) {
    for (Activation activation : {Activation::kRelu, Activation::kGelu, Activation::kSilu, Activation::kTanh}) {
      float y[2];
      table->floats.activate(zeros, y, 2, activation);
      EXPECT_EQ(float_bits(y[0]), float_bits(0.0f)) << table->name << " " << static_cast<int>(activation);
      EXPECT_EQ(float_bits(y[1]), float_bits(-0.0f)) << table->name << " " << static_cast<int>(activation);
    }
  }
}
TEST(Math, Silu) {
  check_unary("silu", of(Activation::kSilu), [](double x) { return x / (1 + std::exp(-x)); }, 3, -80, kInf);
}
TEST(Math, Gelu) {
  // For negative x the sum 1 + erf cancels, as it does in every float32 implementation of this form.
  check_unary(
      "gelu, x > 0", of(Activation::kGelu), [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, 2.5,
      0, kInf);
  std::vector<float> x, y;
  for (float value = -10; value < 0; value += 1e-4f) x.push_back(value);
  y.resize(x.size());
  cpu::float_kernels_serial().activate(x.data(), y.data(), static_cast<int64_t>(x.size()), Activation::kGelu);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], activate_exactly(x[i], Activation::kGelu), 5e-7) << x[i];
}
TEST(Math, Relu) {
  check_unary("relu", of(Activation::kRelu), [](double x) { return x != x ? x : 0.0 > x ? 0.0 : x; }, 0);
}

TEST(Math, Pow) {
  std::mt19937 random(20240607);
  std::vector<float> x, y;
  const float edges[] = {0.0f,        0.5f,           1.0f,           1.5f,    2.0f,    3.0f,      4.0f,
                         0x1p23f,     0x1.000002p23f, 0x1.fffffep23f, 0x1p24f, 0x1p60f, 0x1p-149f, 0x1.fffffep127f,
                         0.99999994f, 1.0000001f,     kInf,           kNan};
  for (float a : edges) {
    for (float b : edges) {
      for (int signs = 0; signs < 4; ++signs) x.push_back(signs & 1 ? -a : a), y.push_back(signs & 2 ? -b : b);
    }
  }
  for (int i = 0; i < 1000000; ++i) {
    const float base = bits_float(random());
    x.push_back(base);
    // Mostly powers whose result is in range; sometimes small integers, sometimes anything.
    const double reach = 104.0 / std::max(1e-7, std::abs(std::log(std::abs(static_cast<double>(base)))));
    const double unit = std::uniform_real_distribution<double>(-1, 1)(random);
    y.push_back(i % 5 == 0   ? static_cast<float>(static_cast<int>(random() % 41) - 20)
                : i % 5 == 1 ? bits_float(random())
                             : static_cast<float>(unit * reach));
    if (i % 5 > 1) x.back() = std::abs(x.back());
  }
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<float> expected(x.size()), got(x.size());
  cpu::float_kernels_serial().binary(ValueOp::kPow, x.data(), y.data(), expected.data(), n);
  double worst = 0;
  size_t worst_at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
    const double error = ulp_error(expected[i], exact);
    if (error > worst) worst = error, worst_at = i;
    ASSERT_LE(error, 1e6) << x[i] << " to the power " << y[i] << " gave " << expected[i] << ", not " << exact;
    ASSERT_TRUE(exact != 0 || std::signbit(expected[i]) == std::signbit(exact)) << x[i] << " " << y[i];
  }
  std::printf("pow: %.3f ulp at %a, %a\n", worst, static_cast<double>(x[worst_at]), static_cast<double>(y[worst_at]));
  EXPECT_LE(worst, 2);
  for (const cpu::SimdTable* table : supported_levels()) {
    table->floats.binary(ValueOp::kPow, x.data(), y.data(), got.data(), n);
    int64_t different = 0;
    for (size_t i = 0; i < x.size(); ++i) different += !same(got[i], expected[i]);
    EXPECT_EQ(different, 0) << table->name;
  }
}

TEST(Math, OperatorsAgreeOnSpecialValues) {
  const float values[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.5f, 0x1p-149f, -0x1p-149f, kInf, -kInf, kNan};
  std::vector<float> a, b, c;
  for (float x : values) {
    for (float y : values) {
      for (float z : values) a.push_back(x), b.push_back(y), c.push_back(z);
    }
  }
  const int64_t n = static_cast<int64_t>(a.size());
  std::vector<float> expected(a.size()), got(a.size());
  const auto compare = [&](int32_t op, const auto& apply) {
    apply(cpu::float_kernels_serial(), expected.data());
    for (const cpu::SimdTable* table : supported_levels()) {
      apply(table->floats, got.data());
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_TRUE(same(got[i], expected[i]))
            << table->name << " op " << op << ": " << a[i] << " " << b[i] << " " << c[i];
      }
    }
  };
  for (int32_t op = 10; op <= 17; ++op) {
    compare(op, [&](const FloatKernels& k, float* y) { k.unary(static_cast<ValueOp>(op), a.data(), y, n); });
  }
  for (int32_t op : {20, 21, 22, 23, 24, 25, 26, 30, 31, 32, 33, 34, 35, 36, 37}) {
    compare(op, [&](const FloatKernels& k, float* y) { k.binary(static_cast<ValueOp>(op), a.data(), b.data(), y, n); });
  }
  for (int32_t op : {40, 41}) {
    compare(op, [&](const FloatKernels& k, float* y) {
      k.ternary(static_cast<ValueOp>(op), a.data(), b.data(), c.data(), y, n);
    });
  }
  const FloatKernels& serial = cpu::float_kernels_serial();
  const auto min = [](float x, float y) { return x != x || x < y ? x : y; };
  const auto max = [](float x, float y) { return x != x || x > y ? x : y; };
  serial.binary(ValueOp::kMin, a.data(), b.data(), expected.data(), n);
  for (size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(same(expected[i], min(a[i], b[i]))) << a[i] << " " << b[i];
  serial.binary(ValueOp::kMax, a.data(), b.data(), expected.data(), n);
  for (size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(same(expected[i], max(a[i], b[i]))) << a[i] << " " << b[i];
  serial.ternary(ValueOp::kClamp, a.data(), b.data(), c.data(), expected.data(), n);
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(same(expected[i], min(max(a[i], b[i]), c[i]))) << a[i] << " " << b[i] << " " << c[i];
  }
}

TEST(Math, WideningIsExact) {
  std::vector<uint16_t> halves;
  for (uint32_t bits = 0; bits < 65536; ++bits) halves.push_back(static_cast<uint16_t>(bits));
  std::vector<int8_t> bytes;
  for (int value = -127; value < 128; ++value) bytes.push_back(static_cast<int8_t>(value));
  std::vector<float> got(halves.size());
  for (const cpu::SimdTable* table : supported_levels()) {
    for (int64_t n : {65536, 65535, 3}) {
      table->floats.widen_f16(halves.data() + 65536 - n, got.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_TRUE(same(got[static_cast<size_t>(i)], f16_to_float(halves[static_cast<size_t>(65536 - n + i)])));
      }
      table->floats.widen_bf16(halves.data() + 65536 - n, got.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_TRUE(same(got[static_cast<size_t>(i)], bf16_to_float(halves[static_cast<size_t>(65536 - n + i)])));
      }
    }
    table->floats.dequantize(bytes.data(), 0.37f, got.data(), static_cast<int64_t>(bytes.size()));
    for (size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(got[i], static_cast<float>(bytes[i]) * 0.37f);
  }
}

}  // namespace
}  // namespace silverlode::tests
