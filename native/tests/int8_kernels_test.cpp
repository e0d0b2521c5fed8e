// Every supported level of the int8 kernels against the obvious loop, with guard bytes around all outputs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "backends/cpu/simd/simd_table.h"
#include "core/half.h"
#include "ops/metric.h"

namespace silverlode::cpu {
namespace {

constexpr int32_t kGuard = 0x5a5a5a5a;

std::vector<const SimdTable*> levels() {
  std::vector<const SimdTable*> tables;
  for (SimdLevel level : {SimdLevel::kSerial, SimdLevel::kAvx2, SimdLevel::kAvx512Vnni, SimdLevel::kNeon}) {
    if (simd_supported(level)) tables.push_back(&simd_table(level));
  }
  return tables;
}

std::vector<int8_t> draw_bytes(int64_t n, std::mt19937& random) {
  std::vector<int8_t> bytes(static_cast<size_t>(n));
  for (int8_t& byte : bytes) byte = static_cast<int8_t>(random());
  return bytes;
}

int32_t dot(const int8_t* a, const int8_t* b, int64_t dim) {
  int64_t sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += int64_t{a[i]} * b[i];
  return static_cast<int32_t>(sum);
}

// An output with guards on both sides.
struct Guarded {
  explicit Guarded(int64_t n) : values(static_cast<size_t>(n) + 32, kGuard) {}
  int32_t* data() { return values.data() + 16; }
  bool intact() const {
    for (size_t i = 0; i < 16; ++i) {
      if (values[i] != kGuard || values[values.size() - 1 - i] != kGuard) return false;
    }
    return true;
  }
  std::vector<int32_t> values;
};

TEST(Int8Kernels, DotsEqualTheLoop) {
  const uint32_t seed = 20240511;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const SimdTable* table : levels()) {
    SCOPED_TRACE(table->name);
    for (int64_t dim : {32, 64, 96, 128, 160, 512, 544, 1056}) {
      for (int64_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 65}) {
        // One byte of offset: nothing may rely on alignment.
        const std::vector<int8_t> storage = draw_bytes(n * dim + 1, random);
        const int8_t* rows = storage.data() + 1;
        const std::vector<int8_t> queries = draw_bytes(11 * dim, random);

        Guarded dots(n);
        table->int8.dot_rows(queries.data(), rows, n, dim, dots.data());
        for (int64_t r = 0; r < n; ++r)
          ASSERT_EQ(dots.data()[r], dot(queries.data(), rows + r * dim, dim)) << dim << " " << n;
        ASSERT_TRUE(dots.intact());

        std::vector<int32_t> index;
        for (int64_t i = 0; i < n; ++i) index.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(n)));
        table->int8.dot_listed(queries.data(), rows, index.data(), n, dim, dots.data());
        for (int64_t i = 0; i < n; ++i) {
          ASSERT_EQ(dots.data()[i], dot(queries.data(), rows + index[static_cast<size_t>(i)] * dim, dim))
              << dim << " " << n;
        }
        ASSERT_TRUE(dots.intact());

        for (int64_t n_queries : {1, 2, 3, 4, 5, 7, 8, 9, 11}) {
          Guarded tile(n_queries * n);
          table->int8.dot_tile(queries.data(), n_queries, rows, n, dim, tile.data());
          for (int64_t q = 0; q < n_queries; ++q) {
            for (int64_t r = 0; r < n; ++r) {
              ASSERT_EQ(tile.data()[q * n + r], dot(queries.data() + q * dim, rows + r * dim, dim))
                  << dim << " " << n << " " << n_queries;
            }
          }
          ASSERT_TRUE(tile.intact());
        }
      }
    }
  }
}

TEST(Int8Kernels, ExtremesAreExact) {
  for (const SimdTable* table : levels()) {
    SCOPED_TRACE(table->name);
    for (int64_t dim : {32, 65536}) {
      for (int a : {-128, -127, 127}) {
        for (int b : {-128, -127, 127}) {
          const std::vector<int8_t> query(static_cast<size_t>(3 * dim), static_cast<int8_t>(a));
          const std::vector<int8_t> row(static_cast<size_t>(dim), static_cast<int8_t>(b));
          const int32_t expected = static_cast<int32_t>(dim * a * b);
          const int32_t zero = 0;
          int32_t dots[3];
          table->int8.dot_rows(query.data(), row.data(), 1, dim, dots);
          EXPECT_EQ(dots[0], expected);
          table->int8.dot_listed(query.data(), row.data(), &zero, 1, dim, dots);
          EXPECT_EQ(dots[0], expected);
          table->int8.dot_tile(query.data(), 3, row.data(), 1, dim, dots);
          EXPECT_EQ(dots[2], expected);
        }
      }
    }
  }
}

// The same bits: NaN equals NaN, and -0 differs from +0.
uint32_t bits_of(float value) { return value != value ? 0x7fc00000u : float_bits(value); }

TEST(Int8Kernels, ScoresAreTheMetricsSteps) {
  const uint32_t seed = 20240512;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const float inf = std::numeric_limits<float>::infinity();
  const float specials[] = {0.0f, -0.0f, inf, -inf, std::nanf(""), 1e-45f, 3e38f};
  for (const SimdTable* table : levels()) {
    SCOPED_TRACE(table->name);
    for (int round = 0; round < 400; ++round) {
      const int64_t n = 1 + round % kScoreRows;
      std::uniform_real_distribution<float> unit(-1.0f, 1.0f);
      const auto draw = [&] { return random() % 8 == 0 ? specials[random() % 7] : unit(random); };
      std::vector<int32_t> dots;
      std::vector<float> scales;
      std::vector<float> bias;
      for (int64_t i = 0; i < n; ++i) {
        dots.push_back(static_cast<int32_t>(random()) >> (random() % 20));
        scales.push_back(draw());
        bias.push_back(draw());
      }
      const Scoring scoring = {draw(), draw(), round % 3 == 0};
      const float threshold = round % 5 == 0 ? specials[random() % 7] : unit(random);
      const float* given = round % 2 == 0 ? bias.data() : nullptr;

      std::vector<float> scores(static_cast<size_t>(n) + 1, 7.0f);
      const uint64_t bits = table->int8.score(dots.data(), scales.data(), given, n, scoring, threshold, scores.data());
      uint64_t expected_bits = 0;
      for (int64_t i = 0; i < n; ++i) {
        const size_t at = static_cast<size_t>(i);
        float expected = scaled_dot(dots[at], scales[at], scoring.query_scale);
        if (given != nullptr) expected += bias[at];
        if (scoring.l2) expected = l2_score(expected, scoring.query_norm);
        ASSERT_EQ(bits_of(scores[at]), bits_of(expected)) << round << " " << i;
        if (!(expected < threshold)) expected_bits |= uint64_t{1} << i;
      }
      ASSERT_EQ(scores.back(), 7.0f);
      ASSERT_EQ(bits, expected_bits) << round;
      ASSERT_EQ(table->int8.passing(scores.data(), n, threshold), expected_bits) << round;
    }
  }
}

}  // namespace
}  // namespace silverlode::cpu
