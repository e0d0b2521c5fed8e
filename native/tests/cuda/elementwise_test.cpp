#include "ops/elementwise.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

// Values where functions bend, overflow or have no value, among random ones.
std::vector<float> awkward(int64_t n, uint32_t seed) {
  std::vector<float> values = random_rows(n, 1, seed);
  const float special[] = {0.0f,  -0.0f, 1.0f,     -1.0f,     88.7f, -103.9f, 1e-40f, -1e-40f,
                           3e38f, 20.0f, INFINITY, -INFINITY, NAN,   0.5f,    -4.5f,  0.625f};
  for (size_t i = 0; i < values.size(); i += 3) values[i] = special[i / 3 % std::size(special)];
  return values;
}

TEST(CudaElementwise, HasTheBitsOfTheCpu) {
  for (const char* function : {"relu", "gelu", "silu", "sigmoid", "tanh", "add", "multiply"}) {
    const bool binary = std::string(function) == "add" || std::string(function) == "multiply";
    const Attributes attributes = text_attribute("function", function);
    for (int64_t rows : {0, 1, 7, 300}) {
      for (int64_t columns : {1, 33}) {
        SCOPED_TRACE(function);
        const FloatTensor a(awkward(rows * columns, 1), {rows, columns});
        const FloatTensor whole(awkward(rows * columns, 2), {rows, columns});
        const FloatTensor row(awkward(columns, 3), {columns});
        const FloatTensor column(awkward(rows, 4), {rows, 1});
        for (const FloatTensor* b : {&whole, &row, &column}) {
          std::vector<TensorView> inputs = {a.view()};
          if (binary) inputs.push_back(b->view());
          expect_equal_values<Elementwise>(entry<Elementwise>(), cpu::entry<Elementwise>(), attributes, inputs);
        }
      }
    }
  }
}

TEST(CudaElementwise, Repeats) {
  const FloatTensor a = random_tensor({70, 3}, 4), b = random_tensor({3}, 5);
  expect_repeats<Elementwise>(entry<Elementwise>(), text_attribute("function", "add"), {a.view(), b.view()});
}

}  // namespace
}  // namespace silverlode::cuda
