#include "ops/rescore.h"

#include <cmath>
#include <random>

#include "tests/dense_harness.h"
#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

using tests::FloatTensor;
using tests::random_tensor;

struct Given {
  FloatTensor users, vectors;
  Tensor<int32_t> index;

  Given(int64_t batch, int64_t heads, int64_t dim, int64_t n, DType dtype)
      : users(random_tensor({batch, heads, dim}, 1)),
        vectors(random_tensor({20, dim}, 2, dtype)),
        index{{batch, n}, std::vector<int32_t>(static_cast<size_t>(batch * n))} {
    std::mt19937 random(3);
    for (int32_t& row : index.values) row = static_cast<int32_t>(random() % 21) - 1;
  }
};

OpResult run_rescore(const Given& given, const char* metric, int32_t threads = 1, SimdLevel level = best_simd_level()) {
  Attributes attributes;
  attributes.values["metric"] = std::string(metric);
  return run_op<Rescore>(entry<Rescore>(), attributes, {given.users.view(), given.vectors.view(), given.index.view()},
                         threads, level);
}

double exact(const Given& given, const std::string& metric, int64_t head, int64_t row) {
  const int64_t dim = given.users.shape.dim(2);
  double product = 0, squares = 0, distance = 0;
  for (int64_t d = 0; d < dim; ++d) {
    const double q = given.users[head * dim + d], x = given.vectors[row * dim + d];
    product += q * x;
    squares += x * x;
    distance += (q - x) * (q - x);
  }
  return metric == "ip" ? product : metric == "l2" ? -distance : product / std::sqrt(squares);
}

TEST(Rescore, IsTheBestOverHeads) {
  for (const char* metric : {"ip", "cosine", "l2"}) {
    for (DType dtype : {DType::kF16, DType::kF32}) {
      for (int64_t dim : {1, 31, 32, 33, 100}) {
        const Given given(3, 2, dim, 15, dtype);
        const OpResult result = run_rescore(given, metric);
        ASSERT_TRUE(result.status.ok()) << result.status.text;
        const std::vector<float> scores = result.values<float>(0);
        for (int64_t i = 0; i < 45; ++i) {
          const int32_t row = given.index.values[static_cast<size_t>(i)];
          const float score = scores[static_cast<size_t>(i)];
          if (row < 0) {
            EXPECT_EQ(score, -INFINITY);
            continue;
          }
          const int64_t head = i / 15 * 2;
          const double best = std::max(exact(given, metric, head, row), exact(given, metric, head + 1, row));
          EXPECT_NEAR(score, best, 1e-6 * static_cast<double>(dim + 10)) << metric << " " << dim << " " << i;
        }
      }
    }
  }
}

TEST(Rescore, SameBitsOnEveryLevelAndThreadCount) {
  for (const char* metric : {"ip", "cosine", "l2"}) {
    const Given given(5, 2, 65, 700, DType::kF16);
    const OpResult first = run_rescore(given, metric, 1, SimdLevel::kSerial);
    for (SimdLevel level : supported_levels()) {
      for (int32_t threads : {1, 2, 5}) {
        EXPECT_EQ(run_rescore(given, metric, threads, level).bytes(), first.bytes());
      }
    }
  }
}

TEST(Rescore, RefusesBadRowsBeforeAnyWrite) {
  for (int32_t bad : {-2, 20}) {
    Given given(1, 1, 4, 5, DType::kF32);
    given.index.values.back() = bad;
    const OpResult result = run_rescore(given, "ip");
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_EQ(result.bytes(), std::vector<uint8_t>(20, 0xa5));
  }
}

TEST(Rescore, EmptyShapes) {
  EXPECT_TRUE(run_rescore(Given(0, 1, 4, 5, DType::kF32), "ip").status.ok());
  EXPECT_TRUE(run_rescore(Given(2, 1, 4, 0, DType::kF16), "ip").status.ok());
  EXPECT_TRUE(run_rescore(Given(2, 0, 4, 5, DType::kF16), "l2").status.ok());
  EXPECT_TRUE(run_rescore(Given(2, 1, 0, 5, DType::kF32), "cosine").status.ok());
}

}  // namespace
}  // namespace silverlode::cpu
