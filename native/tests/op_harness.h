// Runs one op as a program would: parse, infer, bind, workspace, run; with guard bytes behind every output and the workspace.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "backends/cpu/backend.h"

namespace silverlode::cpu {

// A tensor that owns its values.
template <class T>
struct Tensor {
  Shape shape;
  std::vector<T> values;

  TensorView view() const {
    TensorView view;
    view.data = const_cast<T*>(values.data());
    view.dtype = dtype();
    view.shape = shape;
    return view;
  }
  static constexpr DType dtype() {
    if constexpr (std::is_same_v<T, float>) return DType::kF32;
    if constexpr (std::is_same_v<T, int8_t>) return DType::kI8;
    if constexpr (std::is_same_v<T, uint8_t>) return DType::kU8;
    if constexpr (std::is_same_v<T, int32_t>) return DType::kI32;
    return DType::kI64;
  }
};

// Memory with 64-byte alignment and guards behind it.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes) : bytes_(bytes), memory_(new (std::align_val_t{64}) uint8_t[bytes + kGuard]) {
    std::memset(memory_.get(), 0xa5, bytes + kGuard);
  }
  uint8_t* data() const { return memory_.get(); }
  bool intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (memory_.get()[bytes_ + i] != 0xa5) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  struct Free {
    void operator()(uint8_t* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
  };
  size_t bytes_;
  std::unique_ptr<uint8_t, Free> memory_;
};

struct OpResult {
  Status status;
  std::vector<TensorView> outputs;
  std::vector<GuardedMemory> memory;

  template <class T>
  std::vector<T> values(size_t output) const {
    const T* data = outputs[output].as<const T>();
    return std::vector<T>(data, data + outputs[output].elements());
  }
  // All bytes of all outputs, to compare runs with each other.
  std::vector<uint8_t> bytes() const {
    std::vector<uint8_t> all;
    for (const TensorView& output : outputs) {
      all.insert(all.end(), output.as<const uint8_t>(), output.as<const uint8_t>() + output.bytes());
    }
    return all;
  }
};

template <class Op>
OpResult run_op(const OpEntry<typename Op::Args>& entry, const Attributes& attributes,
                const std::vector<TensorView>& inputs, int32_t threads = 1, SimdLevel level = best_simd_level(),
                const volatile uint32_t* cancel = nullptr) {
  OpResult result;
  typename Op::Params params;
  result.status = Op::parse(attributes, params);
  if (!result.status.ok()) return result;
  OutputSpecs specs;
  result.status = Op::infer(params, {}, inputs, specs);
  if (!result.status.ok()) return result;
  for (int32_t i = 0; i < specs.count; ++i) {
    TensorView output;
    output.dtype = specs.dtypes[i];
    output.shape = specs.shapes[i];
    result.memory.emplace_back(static_cast<size_t>(output.bytes()));
    output.data = result.memory.back().data();
    result.outputs.push_back(output);
  }
  typename Op::Args args = {};
  Op::bind(params, {}, inputs, result.outputs, args);

  ThreadPool pool(threads);
  Runtime state = {pool, simd_table(level)};
  Context context;
  context.backend = &state;
  context.cancel = cancel;
  const size_t bytes = entry.workspace == nullptr ? 0 : entry.workspace(context, args);
  const GuardedMemory workspace(bytes);
  result.status = entry.run(context, args, {workspace.data(), bytes});
  EXPECT_TRUE(workspace.intact()) << Op::kName;
  for (const GuardedMemory& output : result.memory) EXPECT_TRUE(output.intact()) << Op::kName;
  return result;
}

inline std::vector<SimdLevel> supported_levels() {
  std::vector<SimdLevel> levels;
  for (SimdLevel level : {SimdLevel::kSerial, SimdLevel::kAvx2, SimdLevel::kAvx512Vnni, SimdLevel::kNeon}) {
    if (simd_supported(level)) levels.push_back(level);
  }
  return levels;
}

}  // namespace silverlode::cpu
