#include "ops/l2_normalize.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

TEST(CudaL2Normalize, HasTheBitsOfTheCpu) {
  uint32_t seed = 20;
  for (int64_t rows : {0, 1, 31, 33, 100}) {
    for (int64_t dim : {1, 7, 64, 65, 130}) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      FloatTensor x = random_tensor({rows, dim}, ++seed);
      if (rows > 1) std::fill_n(x.values.begin(), dim, 0.0f);  // a zero row stays zero
      expect_same<L2Normalize>(entry<L2Normalize>(), cpu::entry<L2Normalize>(), {}, {x.view()});
    }
  }
}

TEST(CudaL2Normalize, Repeats) {
  const FloatTensor x = random_tensor({70, 5}, 2);
  expect_repeats<L2Normalize>(entry<L2Normalize>(), {}, {x.view()});
}

}  // namespace
}  // namespace silverlode::cuda
