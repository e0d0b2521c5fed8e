#include "ops/layer_norm.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

TEST(CudaLayerNorm, AgreesWithTheCpu) {
  uint32_t seed = 10;
  for (int64_t rows : {0, 1, 9, 40}) {
    for (int64_t dim : {1, 2, 31, 32, 33, 200}) {
      for (int optional = 0; optional < 3; ++optional) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const FloatTensor x = random_tensor({rows, dim}, ++seed);
        const FloatTensor weight = random_tensor({dim}, ++seed), bias = random_tensor({dim}, ++seed);
        std::vector<TensorView> inputs = {x.view()};
        if (optional > 0) inputs.push_back(weight.view());
        if (optional > 1) inputs.push_back(bias.view());
        expect_near<LayerNorm>(entry<LayerNorm>(), cpu::entry<LayerNorm>(), {}, inputs, 1e-6);
      }
    }
  }
}

TEST(CudaLayerNorm, NotANumberStaysInItsRow) {
  std::vector<float> values = random_rows(3, 40, 1);
  values[45] = NAN;
  const FloatTensor x(values, {3, 40});
  expect_near<LayerNorm>(entry<LayerNorm>(), cpu::entry<LayerNorm>(), {}, {x.view()}, 1e-6);
}

TEST(CudaLayerNorm, Repeats) {
  const FloatTensor x = random_tensor({9, 70}, 2);
  expect_repeats<LayerNorm>(entry<LayerNorm>(), {}, {x.view()});
}

}  // namespace
}  // namespace silverlode::cuda
