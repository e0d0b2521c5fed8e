// What the CUDA tests of the dense and publish ops share: comparison with the CPU within a tolerance, and both implementations
// of matrix products.
#pragma once

#include <cmath>
#include <string>

#include "backends/cuda/gemm.h"
#include "tests/cuda/cuda_harness.h"
#include "tests/dense_harness.h"

namespace silverlode::cuda {

using tests::FloatTensor;
using tests::random_rows;
using tests::random_tensor;

// Contracts 1.6: float32 stages, and those with half weights.
constexpr double kFloatTolerance = 1e-4;
constexpr double kHalfTolerance = 2e-2;

inline TensorView view_of(const FloatTensor& tensor) { return tensor.view(); }
template <class T>
TensorView view_of(const std::vector<T>& values, const Shape& shape) {
  return tests::view_of(values, shape);
}

// Both tables on the same inputs: outputs within the tolerance (absolute plus relative; equal where not finite), or the same
// error code.
template <class Op>
OpResult expect_near(const OpEntry<typename Op::Args>& cuda_entry, const OpEntry<typename Op::Args>& cpu_entry,
                     const Attributes& attributes, const std::vector<TensorView>& inputs, double tolerance,
                     const DeviceOptions& options = {}) {
  const OpResult expected = cpu::run_op<Op>(cpu_entry, attributes, inputs);
  OpResult result = run_cuda<Op>(cuda_entry, attributes, inputs, options);
  EXPECT_EQ(result.status.code, expected.status.code) << Op::kName << ": " << result.status.text;
  if (!result.status.ok() || !expected.status.ok()) return result;
  const std::vector<float> want = expected.template values<float>(0), have = result.template values<float>(0);
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(have[i])) continue;
    if (want[i] == have[i]) continue;
    EXPECT_LE(std::abs(want[i] - have[i]), tolerance * (1 + std::abs(want[i])))
        << Op::kName << " at " << i << ": " << have[i] << ", the CPU has " << want[i];
    if (testing::Test::HasFailure()) break;
  }
  return result;
}

// Both tables on the same inputs: the same bits, NaN payloads aside, or the same error code.
template <class Op>
OpResult expect_equal_values(const OpEntry<typename Op::Args>& cuda_entry, const OpEntry<typename Op::Args>& cpu_entry,
                             const Attributes& attributes, const std::vector<TensorView>& inputs) {
  const OpResult expected = cpu::run_op<Op>(cpu_entry, attributes, inputs);
  OpResult result = run_cuda<Op>(cuda_entry, attributes, inputs);
  EXPECT_EQ(result.status.code, expected.status.code) << Op::kName << ": " << result.status.text;
  if (!result.status.ok() || !expected.status.ok()) return result;
  const std::vector<float> want = expected.template values<float>(0), have = result.template values<float>(0);
  for (size_t i = 0; i < want.size(); ++i) {
    const bool equal = std::isnan(want[i]) ? std::isnan(have[i]) : float_bits(have[i]) == float_bits(want[i]);
    EXPECT_TRUE(equal) << Op::kName << " at " << i << ": " << have[i] << ", the CPU has " << want[i];
    if (!equal) break;
  }
  return result;
}

// 100 runs in changing orders of threads give the bytes of one run.
template <class Op>
void expect_repeats(const OpEntry<typename Op::Args>& entry, const Attributes& attributes,
                    const std::vector<TensorView>& inputs, const DeviceOptions& options = {}) {
  const OpResult first = run_cuda<Op>(entry, attributes, inputs, options);
  ASSERT_TRUE(first.status.ok()) << first.status.text;
  expect_repeats<Op>(entry, attributes, inputs, first.bytes(), options);
}

// The implementations of matrix products, by name.
inline std::vector<std::pair<const char*, std::unique_ptr<Gemm>>> gemms(int32_t compute_capability) {
  DeviceLimits limits;
  limits.compute_capability = compute_capability;
  std::vector<std::pair<const char*, std::unique_ptr<Gemm>>> all;
  all.emplace_back("tiled", make_tiled_gemm(limits));
  std::string note;
  all.emplace_back("cublasLt", make_cublaslt_gemm(limits, &note));
  EXPECT_NE(all.back().second, nullptr) << note;
  return all;
}

inline Attributes text_attribute(const char* name, const char* value) {
  Attributes attributes;
  attributes.values[name] = std::string(value);
  return attributes;
}

}  // namespace silverlode::cuda
