#include "ops/embedding_bag.h"

#include "tests/dense_harness.h"

namespace silverlode::tests {
namespace {

Attributes with_mode(const char* mode) {
  Attributes attributes;
  attributes.values["mode"] = std::string(mode);
  return attributes;
}

std::vector<double> reference(const FloatTensor& table, const std::vector<int32_t>& ids,
                              const std::vector<int32_t>& offsets, const std::vector<float>* weights, bool mean) {
  const int64_t dim = table.shape.dim(1);
  std::vector<double> y;
  for (size_t bag = 0; bag < offsets.size(); ++bag) {
    const size_t end = bag + 1 < offsets.size() ? static_cast<size_t>(offsets[bag + 1]) : ids.size();
    for (int64_t d = 0; d < dim; ++d) {
      double sum = 0, total = 0;
      for (size_t i = static_cast<size_t>(offsets[bag]); i < end; ++i) {
        const double weight = weights == nullptr ? 1 : (*weights)[i];
        sum += weight * table[ids[i] * dim + d];
        total += weight;
      }
      y.push_back(mean && total != 0 ? sum / total : sum);
    }
  }
  return y;
}

TEST(EmbeddingBag, AgreesWithFloat64) {
  const uint32_t seed = 11;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (int64_t dim : {1, 16, 300, 513}) {
      const FloatTensor table = random_tensor({50, dim}, static_cast<uint32_t>(random()), dtype);
      std::vector<int32_t> ids, offsets;
      std::vector<float> weights;
      for (int bag = 0; bag < 40; ++bag) {
        offsets.push_back(static_cast<int32_t>(ids.size()));
        for (uint32_t i = 0, n = random() % 9; i < n; ++i) {
          ids.push_back(static_cast<int32_t>(random() % 50));
          weights.push_back(0.5f + static_cast<float>(random() % 100) / 50);
        }
      }
      const int64_t n = static_cast<int64_t>(ids.size());
      for (const char* mode : {"sum", "mean"}) {
        for (bool weighted : {false, true}) {
          std::vector<TensorView> inputs = {table.view(), view_of(ids, {n}), view_of(offsets, {40})};
          if (weighted) inputs.push_back(view_of(weights, {n}));
          const Result result = run_op_everywhere<EmbeddingBag>(cpu::entry<EmbeddingBag>(), with_mode(mode), inputs);
          expect_close(result.as<float>(0),
                       reference(table, ids, offsets, weighted ? &weights : nullptr, mode[0] == 'm'), 1e-5);
        }
      }
    }
  }
}

TEST(EmbeddingBag, EmptyBagsGiveZeros) {
  const FloatTensor table = random_tensor({3, 4}, 1);
  const std::vector<int32_t> none, offsets = {0, 0, 0};
  const Result result = run_op<EmbeddingBag>(cpu::entry<EmbeddingBag>(), with_mode("mean"),
                                             {table.view(), view_of(none, {0}), view_of(offsets, {3})});
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  EXPECT_EQ(result.as<float>(0), std::vector<float>(12, 0.0f));
}

TEST(EmbeddingBag, RefusesBadData) {
  const FloatTensor table = random_tensor({3, 4}, 1);
  const auto run = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets) {
    return run_op<EmbeddingBag>(cpu::entry<EmbeddingBag>(), {},
                                {table.view(), view_of(ids, {static_cast<int64_t>(ids.size())}),
                                 view_of(offsets, {static_cast<int64_t>(offsets.size())})})
        .status.code;
  };
  EXPECT_EQ(run({0, 2}, {0, 1}), Code::kOk);
  EXPECT_EQ(run({0, 3}, {0, 1}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, -1}, {0, 1}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, 1}, {1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, 1}, {0, 3}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, 1}, {0, 2, 1}), Code::kInvalidArgument);
  EXPECT_EQ(run({0, 1}, {}), Code::kInvalidArgument);
  EXPECT_EQ(run({}, {}), Code::kOk);
  EmbeddingBag::Params params;
  EXPECT_EQ(EmbeddingBag::parse(with_mode("max"), params).code, Code::kInvalidArgument);
}

TEST(EmbeddingBag, SymbolicShapes) {
  OutputSpecs outputs;
  const std::vector<TensorView> inputs = {{nullptr, DType::kF16, {9, 4}},
                                          {nullptr, DType::kI32, {-2}},
                                          {nullptr, DType::kI32, {-1}},
                                          {nullptr, DType::kF32, {-2}}};
  ASSERT_TRUE(EmbeddingBag::infer({}, {}, inputs, outputs).ok());
  EXPECT_EQ(outputs.shapes[0], (Shape{-1, 4}));
}

}  // namespace
}  // namespace silverlode::tests
