#include <random>

#include "ops/rescore.h"
#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

using tests::FloatTensor;
using tests::random_tensor;

Tensor<int32_t> candidates(int64_t batch, int64_t n, int32_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor<int32_t> made = {{batch, n}, std::vector<int32_t>(static_cast<size_t>(batch * n))};
  for (int32_t& row : made.values) row = static_cast<int32_t>(random() % static_cast<uint32_t>(rows + 1)) - 1;
  return made;
}

Attributes metric_of(const char* metric) {
  Attributes attributes;
  attributes.values["metric"] = std::string(metric);
  return attributes;
}

TEST(CudaRescore, HasTheBitsOfTheCpu) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (const char* metric : {"ip", "cosine", "l2"}) {
    for (DType dtype : {DType::kF16, DType::kF32}) {
      for (int64_t dim : {0, 1, 31, 32, 33, 64, 100, 384}) {
        for (int64_t batch : {0, 1, 7}) {
          const int64_t heads = batch == 1 ? 1 : 3;
          const FloatTensor users = random_tensor({batch, heads, dim}, seed);
          FloatTensor vectors = random_tensor({20, dim}, seed + 1, dtype, dim == 33 ? 1e-5f : 1.0f);
          for (size_t d = 0; d < static_cast<size_t>(dim); ++d) {  // a zero row
            vectors.values[d] = 0;
            if (dtype == DType::kF16) vectors.halves[d] = 0;
          }
          const Tensor<int32_t> index = candidates(batch, 23, 20, seed + 2);
          expect_same<Rescore>(entry<Rescore>(), cpu::entry<Rescore>(), metric_of(metric),
                               {users.view(), vectors.view(), index.view()});
        }
      }
    }
  }
}

TEST(CudaRescore, HasTheBitsOfTheCpuAtTheEndsOfTheRange) {
  for (const char* metric : {"ip", "cosine", "l2"}) {
    for (float scale : {1e-45f, 1e-38f, 1e-20f, 1e20f, 1e37f}) {
      const FloatTensor users = random_tensor({2, 2, 70}, 5, DType::kF32, 0.1f);
      const FloatTensor vectors = random_tensor({20, 70}, 6, DType::kF32, scale);
      const Tensor<int32_t> index = candidates(2, 23, 20, 7);
      expect_same<Rescore>(entry<Rescore>(), cpu::entry<Rescore>(), metric_of(metric),
                           {users.view(), vectors.view(), index.view()});
    }
  }
}

TEST(CudaRescore, RowsOutOfRange) {
  const FloatTensor users = random_tensor({1, 1, 4}, 1), vectors = random_tensor({3, 4}, 2);
  for (int32_t bad : {-2, 3}) {
    const Tensor<int32_t> index = {{1, 3}, {0, -1, bad}};
    const OpResult result =
        expect_same<Rescore>(entry<Rescore>(), cpu::entry<Rescore>(), {}, {users.view(), vectors.view(), index.view()});
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_EQ(std::string(result.status.text), "rescore: row " + std::to_string(bad) + " is not in [-1, 3)");
  }
}

TEST(CudaRescore, Repeats) {
  const FloatTensor users = random_tensor({3, 2, 40}, 1), vectors = random_tensor({20, 40}, 2, DType::kF16);
  const Tensor<int32_t> index = candidates(3, 23, 20, 3);
  const std::vector<TensorView> inputs = {users.view(), vectors.view(), index.view()};
  expect_repeats<Rescore>(entry<Rescore>(), metric_of("cosine"), inputs);
}

}  // namespace
}  // namespace silverlode::cuda
