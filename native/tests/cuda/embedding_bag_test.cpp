#include "ops/embedding_bag.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

struct Bags {
  std::vector<int32_t> ids, offsets;
  std::vector<float> weights;
};

// Bags of 0 to 6 ids.
Bags random_bags(int64_t bags, int64_t vocabulary, uint32_t seed) {
  std::mt19937 random(seed);
  Bags made;
  for (int64_t bag = 0; bag < bags; ++bag) {
    made.offsets.push_back(static_cast<int32_t>(made.ids.size()));
    for (uint32_t n = random() % 7; n > 0; --n) {
      made.ids.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(vocabulary)));
      made.weights.push_back(static_cast<float>(random() % 9) - 3.0f);
    }
  }
  return made;
}

Shape length(const std::vector<int32_t>& values) { return {static_cast<int64_t>(values.size())}; }

TEST(CudaEmbeddingBag, HasTheBitsOfTheCpu) {
  uint32_t seed = 30;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (int64_t bags : {0, 1, 13}) {
      for (int64_t dim : {1, 31, 33, 70}) {
        for (const char* mode : {"sum", "mean"}) {
          for (bool weighted : {false, true}) {
            SCOPED_TRACE("seed " + std::to_string(seed));
            const FloatTensor table = random_tensor({11, dim}, ++seed, dtype);
            const Bags made = random_bags(bags, 11, ++seed);
            std::vector<TensorView> inputs = {table.view(), view_of(made.ids, length(made.ids)),
                                              view_of(made.offsets, length(made.offsets))};
            if (weighted) inputs.push_back(view_of(made.weights, length(made.ids)));
            const Attributes attributes = text_attribute("mode", mode);
            // Weights may cancel, and 0 / 0 is NaN on both sides; its sign bit is nobody's business.
            expect_near<EmbeddingBag>(entry<EmbeddingBag>(), cpu::entry<EmbeddingBag>(), attributes, inputs, 0);
          }
        }
      }
    }
  }
}

TEST(CudaEmbeddingBag, RefusesBadIdsAndOffsets) {
  const FloatTensor table = random_tensor({4, 3}, 1);
  const auto code = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets) {
    const OpResult result =
        expect_near<EmbeddingBag>(entry<EmbeddingBag>(), cpu::entry<EmbeddingBag>(), {},
                                  {table.view(), view_of(ids, length(ids)), view_of(offsets, length(offsets))}, 0);
    return result.status.code;
  };
  EXPECT_EQ(code({0, 3}, {0, 1}), Code::kOk);
  EXPECT_EQ(code({0, 4}, {0, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({-1, 3}, {0, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 3}, {1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 3}, {0, 2, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 3}, {0, 3}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 3}, {}), Code::kInvalidArgument);
}

TEST(CudaEmbeddingBag, Repeats) {
  const FloatTensor table = random_tensor({11, 40}, 1);
  const Bags made = random_bags(9, 11, 2);
  expect_repeats<EmbeddingBag>(
      entry<EmbeddingBag>(), {},
      {table.view(), view_of(made.ids, length(made.ids)), view_of(made.offsets, length(made.offsets))});
}

}  // namespace
}  // namespace silverlode::cuda
