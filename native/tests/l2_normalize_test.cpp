#include "ops/l2_normalize.h"

#include <limits>

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

TEST(L2Normalize, OneRoundingOfTheFloat64Quotient) {
  for (int64_t dim : {1, 31, 128, 2000}) {
    const FloatTensor x = random_tensor({70, dim}, 4);
    const Result result = run_op_everywhere<L2Normalize>(cpu::entry<L2Normalize>(), {}, {x.view()});
    const std::vector<float> y = result.as<float>(0);
    for (int64_t row = 0; row < 70; ++row) {
      double sum = 0;
      for (int64_t d = 0; d < dim; ++d) sum += x[row * dim + d] * x[row * dim + d];
      for (int64_t d = 0; d < dim; ++d) {
        ASSERT_EQ(y[static_cast<size_t>(row * dim + d)], static_cast<float>(x[row * dim + d] / std::sqrt(sum)));
      }
    }
  }
}

TEST(L2Normalize, ZeroTinyAndHugeRows) {
  const float huge = std::numeric_limits<float>::max();
  const FloatTensor x({0, 0, 0x1p-149f, 0, huge, huge}, {3, 2});
  const Result result = run_op<L2Normalize>(cpu::entry<L2Normalize>(), {}, {x.view()});
  const float half = static_cast<float>(std::sqrt(0.5));
  EXPECT_EQ(result.as<float>(0), (std::vector<float>{0, 0, 1, 0, half, half}));
}

TEST(L2Normalize, RefusesBadInputs) {
  OutputSpecs outputs;
  EXPECT_EQ(L2Normalize::infer({}, {}, std::vector<TensorView>{{nullptr, DType::kF16, {2, 2}}}, outputs).code,
            Code::kUnsupportedDtype);
}

}  // namespace
}  // namespace silverlode::tests
