#include "ops/gather_rows.h"

#include "tests/cuda/cuda_harness.h"

namespace silverlode::cuda {
namespace {

OpResult compare(const TensorView& table, const Tensor<int32_t>& index, int64_t batch_dims = 0, int64_t missing = 0) {
  Attributes attributes;
  attributes.values["batch_dims"] = batch_dims;
  attributes.values["missing"] = missing;
  return expect_same<GatherRows>(entry<GatherRows>(), cpu::entry<GatherRows>(), attributes, {table, index.view()});
}

TEST(CudaGatherRows, EveryRowSize) {
  for (int64_t width : {0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 100, 128}) {
    Tensor<uint8_t> table = {{50, width}, std::vector<uint8_t>(static_cast<size_t>(50 * width))};
    for (size_t i = 0; i < table.values.size(); ++i) table.values[i] = static_cast<uint8_t>(i * 31);
    Tensor<int32_t> index = {{700}, {}};
    for (int32_t i = 0; i < 700; ++i) index.values.push_back(i * 7 % 51 - 1);
    compare(table.view(), index);
  }
}

TEST(CudaGatherRows, BatchesAndMissingValues) {
  const Tensor<int64_t> wide = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  compare(wide.view(), {{2, 2}, {0, 2, -1, 1}}, 1);
  const Tensor<int32_t> ids = {{3}, {10, 20, 30}};
  compare(ids.view(), {{4}, {2, -1, 0, -5}}, 0, -7);
  const Tensor<int32_t> pairs = {{3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  compare(pairs.view(), {{2, 2}, {2, -1, 0, -5}}, 0, 123456789);
}

TEST(CudaGatherRows, NothingToGather) {
  const Tensor<float> empty = {{0, 2}, {}};
  compare(empty.view(), {{0}, {}});
  compare(empty.view(), {{2}, {-1, -1}});
}

TEST(CudaGatherRows, AnIndexOutOfRangeIsRefused) {
  const Tensor<float> table = {{3, 2}, {1, 2, 3, 4, 5, 6}};
  const OpResult result = compare(table.view(), {{3}, {0, 3, 1}});
  EXPECT_STREQ(result.status.text, "gather_rows: index 3 is not in [0, 3)");
  EXPECT_EQ(result.bytes()[0], 0xa5) << "written in spite of bad input";
}

}  // namespace
}  // namespace silverlode::cuda
