// Packed products: exact chains, every tile height and panel tail, strides, all activations, equal bits everywhere.
#include "backends/cpu/gemm.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

// The contract, literally: one fma chain from 0 over ascending k, then + bias.
std::vector<float> chains(const FloatTensor& x, const FloatTensor& weight, const float* bias) {
  const int64_t rows = x.shape.dim(0), in_dim = x.shape.dim(1), out_dim = weight.shape.dim(0);
  std::vector<float> y;
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < out_dim; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < in_dim; ++k) {
        sum = std::fma(x.values[static_cast<size_t>(m * in_dim + k)],
                       weight.values[static_cast<size_t>(n * in_dim + k)], sum);
      }
      y.push_back(bias == nullptr ? sum : sum + bias[n]);
    }
  }
  return y;
}

struct Machine {
  Machine(int32_t threads, cpu::SimdLevel level)
      : pool(threads), runtime{pool, cpu::simd_table(level)}, context{&runtime, nullptr, nullptr, nullptr} {}
  cpu::ThreadPool pool;
  cpu::Runtime runtime;
  Context context;
};

void check_product(int64_t rows, int64_t in_dim, int64_t out_dim, DType dtype, bool with_bias, int32_t threads) {
  SCOPED_TRACE(::testing::Message() << rows << " x " << in_dim << " x " << out_dim << " " << dtype_name(dtype));
  const FloatTensor x = random_tensor({rows, in_dim}, 1);
  const FloatTensor weight = random_tensor({out_dim, in_dim}, 2, dtype);
  const std::vector<float> bias = random_rows(out_dim, 1, 3);
  const std::vector<float> expected = chains(x, weight, with_bias ? bias.data() : nullptr);
  const int64_t ldy = out_dim + 3;
  for (const cpu::SimdTable* table : supported_levels()) {
    Machine machine(threads, table->level);
    GuardedBytes packed(cpu::packed_bytes(out_dim, in_dim));
    cpu::pack_weights(machine.context, weight.view().data, dtype, out_dim, in_dim, in_dim,
                      static_cast<float*>(packed.data()));
    EXPECT_TRUE(packed.intact());
    const size_t out_bytes = rows == 0 ? 0 : static_cast<size_t>((rows - 1) * ldy + out_dim) * sizeof(float);
    GuardedBytes out(out_bytes);
    float* y = static_cast<float*>(out.data());
    std::fill(y, y + out_bytes / sizeof(float), 7.0f);
    cpu::gemm(machine.context, {x.values.data(), in_dim, rows, static_cast<const float*>(packed.data()),
                                with_bias ? bias.data() : nullptr, in_dim, out_dim, y, ldy, Activation::kNone});
    EXPECT_TRUE(out.intact());
    for (int64_t m = 0; m < rows; ++m) {
      ASSERT_EQ(std::memcmp(y + m * ldy, expected.data() + m * out_dim, static_cast<size_t>(out_dim) * sizeof(float)),
                0)
          << table->name << " row " << m;
      for (int64_t n = out_dim; n < ldy && m + 1 < rows; ++n) ASSERT_EQ(y[m * ldy + n], 7.0f) << "between rows";
    }
  }
}

TEST(Gemm, EveryTileHeight) {
  for (int64_t rows = 1; rows <= 30; ++rows) check_product(rows, 7, 40, DType::kF32, true, 1);
}

TEST(Gemm, EveryPanelTail) {
  for (int64_t out_dim = 1; out_dim <= 70; ++out_dim) check_product(3, 5, out_dim, DType::kF32, out_dim % 2 == 0, 1);
}

TEST(Gemm, OneRowOverManyPanels) {
  for (int64_t out_dim : {31, 32, 64, 96, 128, 160, 257}) check_product(1, 33, out_dim, DType::kF32, true, 1);
}

TEST(Gemm, HalfWeightsAreWidenedExactly) {
  for (DType dtype : {DType::kF16, DType::kBF16}) check_product(5, 300, 45, dtype, true, 2);
}

TEST(Gemm, Threads) {
  for (int32_t threads : {2, 3, 8}) {
    check_product(300, 64, 96, DType::kF32, true, threads);
    check_product(1, 1024, 1100, DType::kF32, true, threads);
    check_product(0, 16, 16, DType::kF32, true, threads);
  }
}

TEST(Gemm, EmptyChainIsZeroPlusBias) { check_product(3, 0, 5, DType::kF32, true, 1); }

TEST(Gemm, RandomShapes) {
  const uint32_t seed = 77;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 60; ++i) {
    check_product(1 + random() % 40, 1 + random() % 70, 1 + random() % 100, DType::kF32, random() % 2 == 0,
                  1 + static_cast<int32_t>(random() % 3));
  }
}

}  // namespace
}  // namespace silverlode::tests
