// What the tests of the dense ops share beyond cluster_harness.h: weights prepared as a program would, half-precision
// inputs, comparison with float64 references.
#pragma once

#include <functional>

#include "core/half.h"
#include "tests/cluster_harness.h"

namespace silverlode::tests {

// An entry whose runs get prepared weights.
template <class Args>
struct PreparedEntry {
  explicit PreparedEntry(const OpEntry<Args>& entry)
      : workspace([entry](const Context& context, const Args& args) {
          Args prepared = args;
          prepared.prepared = &prepared;  // any address: sizes do not read it
          return entry.workspace(context, prepared);
        }),
        run([entry](Context& context, const Args& args, Workspace workspace) {
          GuardedBytes memory(entry.prepared_bytes(args));
          Args prepared = args;
          if (Status status = entry.prepare(context, args, memory.data()); !status.ok()) return status;
          EXPECT_TRUE(memory.intact());
          prepared.prepared = memory.data();
          const Status status = entry.run(context, prepared, workspace);
          EXPECT_TRUE(memory.intact());
          return status;
        }) {}

  std::function<size_t(const Context&, const Args&)> workspace;
  std::function<Status(Context&, const Args&, Workspace)> run;
};

// A float tensor stored as float32, float16 or bfloat16, with the values that are really stored.
struct FloatTensor {
  FloatTensor(std::vector<float> given, const Shape& tensor_shape, DType stored = DType::kF32)
      : values(std::move(given)), shape(tensor_shape), dtype(stored) {
    EXPECT_EQ(static_cast<int64_t>(values.size()), shape.elements());
    if (dtype == DType::kF32) return;
    for (float& value : values) {
      halves.push_back(dtype == DType::kF16 ? float_to_f16(value) : float_to_bf16(value));
      value = dtype == DType::kF16 ? f16_to_float(halves.back()) : bf16_to_float(halves.back());
    }
  }

  TensorView view() const {
    const void* data = dtype == DType::kF32 ? static_cast<const void*>(values.data()) : halves.data();
    return {const_cast<void*>(data), dtype, shape};
  }
  double operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }

  std::vector<float> values;
  std::vector<uint16_t> halves;
  Shape shape;
  DType dtype;
};

inline FloatTensor random_tensor(const Shape& shape, uint32_t seed, DType dtype = DType::kF32, float scale = 1.0f) {
  std::vector<float> values = random_rows(shape.elements(), 1, seed);
  for (float& value : values) value *= scale;
  return FloatTensor(std::move(values), shape, dtype);
}

inline double activate_exactly(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x > 0 ? x : 0;
    case Activation::kGelu: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kSigmoid: return 1 / (1 + std::exp(-x));
    case Activation::kTanh: return std::tanh(x);
  }
  return x;
}

inline const char* activation_name(Activation activation) {
  static constexpr const char* kNames[] = {"none", "relu", "gelu", "silu", "sigmoid", "tanh"};
  return kNames[static_cast<int32_t>(activation)];
}

// |got - expected| <= tolerance * (1 + |expected|) everywhere.
inline void expect_close(const std::vector<float>& got, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_LE(std::abs(got[i] - expected[i]), tolerance * (1 + std::abs(expected[i]))) << "at " << i;
  }
}

inline std::vector<const cpu::SimdTable*> supported_levels() {
  std::vector<const cpu::SimdTable*> tables;
  for (cpu::SimdLevel level :
       {cpu::SimdLevel::kSerial, cpu::SimdLevel::kAvx2, cpu::SimdLevel::kAvx512Vnni, cpu::SimdLevel::kNeon}) {
    if (cpu::simd_supported(level)) tables.push_back(&cpu::simd_table(level));
  }
  return tables;
}

}  // namespace silverlode::tests
