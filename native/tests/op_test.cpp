// Attributes and the checks that infer functions share.
#include "ops/op.h"

#include <gtest/gtest.h>

#include <limits>

#include "ops/check.h"
#include "ops/metric.h"

namespace silverlode {
namespace {

TEST(Attributes, NumbersConvertOnlyWithoutLoss) {
  Attributes attributes;
  attributes.values = {{"int", int64_t{7}},
                       {"whole", 8.0},
                       {"half", 0.5},
                       {"huge", 0x1p63},
                       {"nan", std::numeric_limits<double>::quiet_NaN()},
                       {"text", std::string("x")},
                       {"ints", std::vector<int64_t>{1, -2}},
                       {"wholes", std::vector<double>{3.0, -4.0}},
                       {"halves", std::vector<double>{3.0, 0.5}}};
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<int64_t> list;
  EXPECT_TRUE(attributes.get("int", integer).ok());
  EXPECT_EQ(integer, 7);
  EXPECT_TRUE(attributes.get("whole", integer).ok());
  EXPECT_EQ(integer, 8);
  for (const char* name : {"half", "huge", "nan", "text", "ints"}) {
    EXPECT_EQ(attributes.get(name, integer).code, Code::kInvalidArgument) << name;
  }
  EXPECT_STREQ(attributes.get("half", integer).text, "attribute 'half' must be an integer");
  EXPECT_STREQ(attributes.get("none", integer).text, "attribute 'none' is missing");
  EXPECT_TRUE(attributes.get("int", number).ok());
  EXPECT_EQ(number, 7.0);
  EXPECT_TRUE(attributes.get("half", number).ok());
  EXPECT_EQ(attributes.get("text", number).code, Code::kInvalidArgument);
  EXPECT_TRUE(attributes.get("text", text).ok());
  EXPECT_EQ(attributes.get("int", text).code, Code::kInvalidArgument);
  EXPECT_TRUE(attributes.get("ints", list).ok());
  EXPECT_TRUE(attributes.get("wholes", list).ok());
  EXPECT_EQ(list, (std::vector<int64_t>{3, -4}));
  EXPECT_EQ(attributes.get("halves", list).code, Code::kInvalidArgument);
  EXPECT_EQ(attributes.get("int", list).code, Code::kInvalidArgument);
  EXPECT_TRUE(attributes.get_or("none", integer, int64_t{3}).ok());
  EXPECT_EQ(integer, 3);
  EXPECT_FALSE(attributes.get_or("text", integer, int64_t{3}).ok());
}

TEST(Check, MessagesNameEverything) {
  TensorView view;
  view.dtype = DType::kF32;
  view.shape = {-1, 8};
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_TRUE(check_tensor("op", "x", view, DType::kF32, {-1, 8}).ok());
  EXPECT_STREQ(check_dtype("op", "x", view, DType::kI8).text, "op: input 'x' must be int8, got float32");
  EXPECT_STREQ(check_dtype("op", "x", {}, DType::kI8).text, "op: input 'x' is missing");
  EXPECT_STREQ(check_rank("op", "x", view, 3).text, "op: input 'x' must have 3 dimensions, got shape [s1, 8]");
  EXPECT_STREQ(check_shape("op", "x", view, {-2, 8}).text, "op: input 'x' must have shape [s2, 8], got [s1, 8]");
  EXPECT_STREQ(check_input_count("op", {}, 1, 2).text, "op: expected 1 to 2 inputs, got 0");
  EXPECT_STREQ(check_input_count("op", {}, 2, 2).text, "op: expected 2 inputs, got 0");
}

TEST(Metric, Names) {
  Metric metric = Metric::kInnerProduct;
  EXPECT_TRUE(parse_metric("l2", metric).ok());
  EXPECT_EQ(metric, Metric::kL2);
  EXPECT_TRUE(parse_metric("cosine", metric).ok());
  EXPECT_EQ(metric, Metric::kCosine);
  EXPECT_STREQ(parse_metric("dot", metric).text, "unknown metric 'dot': expected ip, cosine or l2");
}

}  // namespace
}  // namespace silverlode
