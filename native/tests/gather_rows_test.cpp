#include "ops/gather_rows.h"

#include <numeric>

#include "tests/op_harness.h"

namespace silverlode::cpu {
namespace {

OpResult run_gather(const TensorView& table, const Tensor<int32_t>& index, int64_t batch_dims = 0, int64_t missing = 0,
                    int32_t threads = 1) {
  Attributes attributes;
  attributes.values["batch_dims"] = batch_dims;
  attributes.values["missing"] = missing;
  return run_op<GatherRows>(entry<GatherRows>(), attributes, {table, index.view()}, threads);
}

TEST(GatherRows, RowsOfAMatrix) {
  const Tensor<float> table = {{3, 2}, {1, 2, 3, 4, 5, 6}};
  const OpResult result = run_gather(table.view(), {{2, 2}, {2, 0, -1, 2}});
  EXPECT_EQ(result.outputs[0].shape, (Shape{2, 2, 2}));
  EXPECT_EQ(result.values<float>(0), (std::vector<float>{5, 6, 1, 2, 0, 0, 5, 6}));
}

TEST(GatherRows, ScalarsWithAMissingValue) {
  const Tensor<int32_t> table = {{3}, {10, 20, 30}};
  const OpResult result = run_gather(table.view(), {{4}, {2, -1, 0, -5}}, 0, -7);
  EXPECT_EQ(result.values<int32_t>(0), (std::vector<int32_t>{30, -7, 10, -7}));
}

TEST(GatherRows, BatchEntriesHaveTheirOwnTables) {
  const Tensor<int64_t> table = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  const OpResult result = run_gather(table.view(), {{2, 2}, {0, 2, 0, 1}}, 1);
  EXPECT_EQ(result.values<int64_t>(0), (std::vector<int64_t>{1, 3, 4, 5}));
}

TEST(GatherRows, ATableInTwoParts) {
  const Tensor<float> table = {{2, 2}, {1, 2, 3, 4}};
  const Tensor<float> tail = {{1, 2}, {5, 6}};
  const Tensor<int32_t> index = {{4}, {2, 0, -1, 1}};
  const OpResult result = run_op<GatherRows>(entry<GatherRows>(), {}, {table.view(), index.view(), tail.view()}, 1);
  EXPECT_EQ(result.values<float>(0), (std::vector<float>{5, 6, 1, 2, 0, 0, 3, 4}));
  const Tensor<int32_t> beyond = {{1}, {3}};
  const OpResult bad = run_op<GatherRows>(entry<GatherRows>(), {}, {table.view(), beyond.view(), tail.view()}, 1);
  EXPECT_EQ(bad.status.code, Code::kInvalidArgument);
}

TEST(GatherRows, EveryRowSizeAndThreadCount) {
  for (int64_t width : {1, 2, 3, 4, 8, 12, 128, 1000}) {
    Tensor<uint8_t> table = {{50, width}, std::vector<uint8_t>(static_cast<size_t>(50 * width))};
    for (size_t i = 0; i < table.values.size(); ++i) table.values[i] = static_cast<uint8_t>(i * 31);
    Tensor<int32_t> index = {{5000}, {}};
    for (int32_t i = 0; i < 5000; ++i) index.values.push_back(i * 7 % 51 - 1);
    const OpResult first = run_gather(table.view(), index);
    const std::vector<uint8_t> rows = first.values<uint8_t>(0);
    for (int64_t i = 0; i < 5000 * width; ++i) {
      const int32_t row = index.values[static_cast<size_t>(i / width)];
      ASSERT_EQ(rows[static_cast<size_t>(i)], row < 0 ? 0 : table.values[static_cast<size_t>(row * width + i % width)]);
    }
    for (int32_t threads : {2, 3, 8}) EXPECT_EQ(run_gather(table.view(), index, 0, 0, threads).bytes(), first.bytes());
  }
}

TEST(GatherRows, BadIndexesAreNamedBeforeAnyWrite) {
  const Tensor<float> table = {{3, 2}, {1, 2, 3, 4, 5, 6}};
  const OpResult result = run_gather(table.view(), {{3}, {0, 3, 9}});
  EXPECT_EQ(result.status.code, Code::kInvalidArgument);
  EXPECT_STREQ(result.status.text, "gather_rows: index 3 at position 1 is outside a table of 3 rows");
  EXPECT_EQ(result.bytes()[0], 0xa5);
}

TEST(GatherRows, ShapesAreChecked) {
  const Tensor<float> table = {{3, 2}, std::vector<float>(6)};
  EXPECT_EQ(run_gather(table.view(), {{3}, {0, 0, 0}}, 0, 5).status.code, Code::kUnsupportedDtype);
  EXPECT_EQ(run_gather(table.view(), {{2, 1}, {0, 0}}, 1).status.code, Code::kShapeMismatch);
  EXPECT_EQ(run_gather(table.view(), {{3}, {0, 0, 0}}, 2).status.code, Code::kInvalidArgument);
  const Tensor<float> empty = {{0, 2}, {}};
  EXPECT_TRUE(run_gather(empty.view(), {{0}, {}}).status.ok());
  EXPECT_EQ(run_gather(empty.view(), {{1}, {0}}).status.code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace silverlode::cpu
