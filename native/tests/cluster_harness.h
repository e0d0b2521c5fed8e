// Runs one CPU op by itself, as a program would: attributes, shape inference, bind, exact-size workspace, run. Outputs
// and workspace lie between guard bytes, and the workspace is filled with rubbish first.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backends/cpu/backend.h"

namespace silverlode::tests {

template <class T>
constexpr DType dtype_of() {
  return std::is_same_v<T, float> ? DType::kF32 : DType::kI32;
}

template <class T>
TensorView view_of(const std::vector<T>& values, const Shape& shape) {
  EXPECT_EQ(static_cast<int64_t>(values.size()), shape.elements());
  return {const_cast<T*>(values.data()), dtype_of<T>(), shape};
}

// Memory of an exact size with guards on both sides.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t bytes) : bytes_(bytes), memory_(bytes + 3 * kGuard, kRubbish) {
    begin_ = (kGuard - reinterpret_cast<uintptr_t>(memory_.data()) % kGuard) + kGuard;
  }

  void* data() { return memory_.data() + begin_; }
  size_t size() const { return bytes_; }
  bool intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (memory_[begin_ - 1 - i] != kRubbish || memory_[begin_ + bytes_ + i] != kRubbish) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr uint8_t kRubbish = 0xa5;

  size_t bytes_;
  std::vector<uint8_t> memory_;
  size_t begin_;
};

struct Result {
  Status status;
  std::vector<std::vector<uint8_t>> outputs;

  template <class T>
  std::vector<T> as(size_t output) const {
    std::vector<T> values(outputs.at(output).size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), outputs[output].data(), outputs[output].size());
    return values;
  }
};

// How an op is run; defaults are two threads at the best level.
struct Setting {
  int32_t threads = 2;
  cpu::SimdLevel level = cpu::best_simd_level();
  const volatile uint32_t* cancel = nullptr;
  void (*progress)(void* user, double done) = nullptr;
  void* progress_user = nullptr;
};

template <class Op, class Entry>
Result run_op(const Entry& entry, const Attributes& attributes, std::vector<TensorView> inputs, Setting setting = {}) {
  typename Op::Params params;
  OutputSpecs specs;
  Result result;
  result.status = Op::parse(attributes, params);
  if (result.status.ok()) result.status = Op::infer(params, {}, inputs, specs);
  if (!result.status.ok()) return result;

  std::vector<GuardedBytes> memory;
  std::vector<TensorView> outputs;
  for (int32_t i = 0; i < specs.count; ++i) {
    TensorView view = {nullptr, specs.dtypes[i], specs.shapes[i]};
    memory.emplace_back(static_cast<size_t>(view.bytes()));
    outputs.push_back(view);
  }
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].data = memory[i].data();

  typename Op::Args args{};
  Op::bind(params, {}, inputs, outputs, args);
  cpu::ThreadPool pool(setting.threads);
  cpu::Runtime runtime{pool, cpu::simd_table(setting.level)};
  Context context{&runtime, setting.cancel, setting.progress, setting.progress_user};
  GuardedBytes workspace(entry.workspace == nullptr ? 0 : entry.workspace(context, args));
  result.status = entry.run(context, args, {workspace.data(), workspace.size()});

  EXPECT_TRUE(workspace.intact()) << Op::kName;
  for (GuardedBytes& bytes : memory) {
    EXPECT_TRUE(bytes.intact()) << Op::kName;
    const uint8_t* data = static_cast<const uint8_t*>(bytes.data());
    result.outputs.emplace_back(data, data + bytes.size());
  }
  return result;
}

// Equal bytes at 1, 2, 3 and 8 threads and on every SIMD level.
template <class Op, class Entry>
Result run_op_everywhere(const Entry& entry, const Attributes& attributes, const std::vector<TensorView>& inputs) {
  const Result expected = run_op<Op>(entry, attributes, inputs, {.threads = 1, .level = cpu::SimdLevel::kSerial});
  EXPECT_TRUE(expected.status.ok()) << expected.status.text;
  for (cpu::SimdLevel level :
       {cpu::SimdLevel::kSerial, cpu::SimdLevel::kAvx2, cpu::SimdLevel::kAvx512Vnni, cpu::SimdLevel::kNeon}) {
    if (!cpu::simd_supported(level)) continue;
    for (int32_t threads : {1, 2, 3, 8}) {
      const Result result = run_op<Op>(entry, attributes, inputs, {.threads = threads, .level = level});
      EXPECT_TRUE(result.outputs == expected.outputs)
          << Op::kName << " differs at " << threads << " threads, " << cpu::simd_table(level).name;
    }
  }
  return expected;
}

inline std::vector<float> random_rows(int64_t rows, int64_t dim, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(rows * dim));
  for (float& value : values) value = normal(random);
  return values;
}

// Rows that share few values per dimension: many exact ties and copies.
inline std::vector<float> coarse_rows(int64_t rows, int64_t dim, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(rows * dim));
  for (float& value : values) value = static_cast<float>(static_cast<int32_t>(random() % 3) - 1);
  return values;
}

}  // namespace silverlode::tests
