#include "ops/linear.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu,    Activation::kGelu,
                                       Activation::kSilu, Activation::kSigmoid, Activation::kTanh};

Attributes activation_attribute(Activation activation) {
  return text_attribute("activation", tests::activation_name(activation));
}

struct Case {
  int64_t rows, in, out;
};

// Sizes around the tiles of every kernel, and some that divide nothing.
constexpr Case kCases[] = {{0, 8, 4},     {1, 1, 1},    {1, 37, 45},   {3, 16, 64},  {65, 31, 63},
                           {64, 33, 129}, {129, 7, 65}, {130, 72, 66}, {200, 24, 8}, {5, 0, 3}};

TEST(CudaLinear, TiledFloat32HasTheBitsOfTheCpu) {
  uint32_t seed = 100;
  const auto gemm = make_tiled_gemm({});
  for (const Case& sizes : kCases) {
    for (int32_t sm_count : {1, 64}) {  // high and low tiles
      for (bool with_bias : {true, false}) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const FloatTensor x = random_tensor({sizes.rows, sizes.in}, ++seed);
        const FloatTensor weight = random_tensor({sizes.out, sizes.in}, ++seed);
        const FloatTensor bias = random_tensor({sizes.out}, ++seed);
        std::vector<TensorView> inputs = {x.view(), weight.view()};
        if (with_bias) inputs.push_back(bias.view());
        DeviceOptions options;
        options.gemm = gemm.get();
        options.sm_count = sm_count;
        expect_same<Linear>(entry<Linear>(), cpu::entry<Linear>(), activation_attribute(kActivations[seed % 6]), inputs,
                            options);
      }
    }
  }
}

TEST(CudaLinear, AgreesWithTheCpuForEveryDtypeAndActivation) {
  uint32_t seed = 200;
  for (int32_t capability : {75, 80}) {
    for (const auto& [name, gemm] : gemms(capability)) {
      for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
        for (const Case& sizes : kCases) {
          SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed));
          const FloatTensor x = random_tensor({sizes.rows, sizes.in}, ++seed);
          const FloatTensor weight = random_tensor({sizes.out, sizes.in}, ++seed, dtype, 0.2f);
          const FloatTensor bias = random_tensor({sizes.out}, ++seed);
          DeviceOptions options;
          options.compute_capability = capability;
          options.gemm = gemm.get();
          options.prepare = seed % 2 == 0;
          expect_near<Linear>(entry<Linear>(), cpu::entry<Linear>(), activation_attribute(kActivations[seed % 6]),
                              {x.view(), weight.view(), bias.view()},
                              dtype == DType::kF32 ? kFloatTolerance : kHalfTolerance, options);
        }
      }
    }
  }
}

TEST(CudaLinear, NotANumberAndInfinityPass) {
  std::vector<float> values = random_rows(4, 16, 1);
  values[3] = NAN;
  values[20] = INFINITY;
  values[40] = -INFINITY;
  const FloatTensor x(values, {4, 16});
  const FloatTensor bias = random_tensor({8}, 2);
  for (const auto& [name, gemm] : gemms(80)) {
    for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (bool prepare : {false, true}) {
        SCOPED_TRACE(name);
        const FloatTensor weight = random_tensor({8, 16}, 3, dtype);
        DeviceOptions options;
        options.gemm = gemm.get();
        options.prepare = prepare;
        const OpResult result =
            expect_near<Linear>(entry<Linear>(), cpu::entry<Linear>(), activation_attribute(Activation::kRelu),
                                {x.view(), weight.view(), bias.view()}, kHalfTolerance, options);
        for (size_t i = 0; i < 8; ++i) EXPECT_TRUE(std::isnan(result.values<float>(0)[i]));
      }
    }
  }
}

TEST(CudaLinear, Repeats) {
  const FloatTensor x = random_tensor({9, 21}, 4);
  for (const auto& [name, gemm] : gemms(80)) {
    for (DType dtype : {DType::kF32, DType::kBF16}) {
      SCOPED_TRACE(name);
      const FloatTensor weight = random_tensor({5, 21}, 5, dtype);
      DeviceOptions options;
      options.gemm = gemm.get();
      expect_repeats<Linear>(entry<Linear>(), activation_attribute(Activation::kGelu), {x.view(), weight.view()},
                             options);
    }
  }
}

}  // namespace
}  // namespace silverlode::cuda
