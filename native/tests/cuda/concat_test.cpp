#include "ops/concat.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

template <class T>
Tensor<T> counted(const Shape& shape, int32_t first) {
  Tensor<T> tensor = {shape, {}};
  for (int64_t i = 0; i < shape.elements(); ++i) tensor.values.push_back(static_cast<T>(first + i));
  return tensor;
}

template <class T>
void check(int64_t rows, std::vector<int64_t> widths) {
  std::vector<Tensor<T>> tensors;
  std::vector<TensorView> inputs;
  for (int64_t width : widths) tensors.push_back(counted<T>({rows, width}, static_cast<int32_t>(10 * tensors.size())));
  for (const Tensor<T>& tensor : tensors) inputs.push_back(tensor.view());
  expect_same<Concat>(entry<Concat>(), cpu::entry<Concat>(), {}, inputs);
}

TEST(CudaConcat, EqualsTheCpu) {
  for (int64_t rows : {0, 1, 5, 130}) {
    check<float>(rows, {4, 8});         // units of 16 bytes
    check<float>(rows, {3, 0, 2});      // of 4
    check<int8_t>(rows, {5, 1, 7, 2});  // of 1
    check<int8_t>(rows, {32, 16});
    check<int64_t>(rows, {1});
  }
}

TEST(CudaConcat, Repeats) {
  const FloatTensor a = random_tensor({40, 3}, 1), b = random_tensor({40, 2}, 2);
  expect_repeats<Concat>(entry<Concat>(), {}, {a.view(), b.view()});
}

}  // namespace
}  // namespace silverlode::cuda
