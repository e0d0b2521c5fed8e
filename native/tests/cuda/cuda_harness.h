// Runs one op on the CUDA table as a program would (parse, infer, bind, workspace, run), with inputs and outputs in device
// memory, and beside it on the CPU table, which is the reference. Every array is an allocation of its own and of exact size,
// so that the emulation's checkers see an access that is one byte too far.
#pragma once

#include <algorithm>
#include <utility>

#include "backends/cuda/backend.h"
#include "backends/cuda/runtime.h"
#include "ops/check.h"
#include "tests/op_harness.h"

#ifdef SILVERLODE_EMULATION
#include "emulation/settings.h"
#endif

namespace silverlode::cuda {

using cpu::GuardedMemory;
using cpu::OpResult;
using cpu::Tensor;

// What the op is told about the device. Results must not depend on any of it; variants do.
struct DeviceOptions {
  int32_t compute_capability = 90;
  int32_t sm_count = 3;
  size_t memory_bytes = size_t{1} << 30;
  bool prepare = false;  // run `prepare` first, as a program with constant inputs does
  Gemm* gemm = nullptr;  // for ops that multiply matrices
  const volatile uint32_t* cancel = nullptr;
  void (*progress)(void* user, double done) = nullptr;
  void* progress_user = nullptr;
};

class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes) {
    EXPECT_EQ(cudaMalloc(&data_, bytes == 0 ? 1 : bytes), cudaSuccess);
  }
  DeviceMemory(DeviceMemory&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  DeviceMemory& operator=(DeviceMemory&&) = delete;
  ~DeviceMemory() { EXPECT_EQ(cudaFree(data_), cudaSuccess); }

  void* data() const { return data_; }
  void upload(const void* from) {
    if (bytes_ == 0) return;
    EXPECT_EQ(cudaMemcpy(data_, from, bytes_, cudaMemcpyHostToDevice), cudaSuccess);
  }
  void download(void* to) const {
    if (bytes_ == 0) return;
    EXPECT_EQ(cudaMemcpy(to, data_, bytes_, cudaMemcpyDeviceToHost), cudaSuccess);
  }

 private:
  size_t bytes_;
  void* data_ = nullptr;
};

// A stream and the slot for errors in data.
class DeviceRun {
 public:
  explicit DeviceRun(const DeviceOptions& options) : error_(sizeof(RunError)) {
    EXPECT_EQ(cudaStreamCreateWithFlags(&state_.stream, cudaStreamNonBlocking), cudaSuccess);
    const RunError none = {};
    error_.upload(&none);
    state_.error = static_cast<RunError*>(error_.data());
    state_.limits.compute_capability = options.compute_capability;
    state_.limits.sm_count = options.sm_count;
    state_.limits.shared_bytes = size_t{64} << 10;
    state_.limits.l2_bytes = size_t{4} << 20;
    state_.limits.memory_bytes = options.memory_bytes;
    state_.gemm = options.gemm;
    context_ = {&state_, options.cancel, options.progress, options.progress_user};
  }
  DeviceRun(const DeviceRun&) = delete;
  DeviceRun& operator=(const DeviceRun&) = delete;
  ~DeviceRun() { EXPECT_EQ(cudaStreamDestroy(state_.stream), cudaSuccess); }

  Context& context() { return context_; }
  // Waits; then the first error of the launch, of the kernels or in the data.
  Status finish(const Status& enqueued) {
    const cudaError_t waited = cudaStreamSynchronize(state_.stream);
    if (!enqueued.ok()) return enqueued;
    if (waited != cudaSuccess) return make_error(Code::kCudaError, "%s", cudaGetErrorString(waited));
    RunError error;
    error_.download(&error);
    return status_of(error);
  }

 private:
  DeviceMemory error_;
  Runtime state_;
  Context context_;
};

// The result's outputs are in host memory.
template <class Op>
OpResult run_cuda(const OpEntry<typename Op::Args>& entry, const Attributes& attributes,
                  const std::vector<TensorView>& inputs, const DeviceOptions& options = {}) {
  OpResult result;
  typename Op::Params params;
  result.status = Op::parse(attributes, params);
  if (!result.status.ok()) return result;
  OutputSpecs specs;
  result.status = Op::infer(params, {}, inputs, specs);
  if (!result.status.ok()) return result;

  std::vector<DeviceMemory> memory;
  const auto on_device = [&](TensorView view) {
    const bool empty = view.absent() || (view.data == nullptr && view.bytes() == 0);
    memory.emplace_back(empty ? 0 : static_cast<size_t>(view.bytes()));
    if (view.data != nullptr && !empty) memory.back().upload(view.data);
    view.data = empty ? nullptr : memory.back().data();
    return view;
  };
  std::vector<TensorView> device_inputs, device_outputs;
  for (const TensorView& input : inputs) device_inputs.push_back(on_device(input));
  for (int32_t i = 0; i < specs.count; ++i) {
    TensorView output = {nullptr, specs.dtypes[i], specs.shapes[i]};
    result.memory.emplace_back(static_cast<size_t>(output.bytes()));
    output.data = result.memory.back().data();
    result.outputs.push_back(output);
    device_outputs.push_back(on_device(output));
  }
  typename Op::Args args = {};
  Op::bind(params, {}, device_inputs, device_outputs, args);

  DeviceRun device(options);
  if constexpr (requires { args.prepared; }) {
    if (options.prepare && entry.prepared_bytes != nullptr) {
      memory.emplace_back(entry.prepared_bytes(args));
      result.status = device.finish(entry.prepare(device.context(), args, memory.back().data()));
      if (!result.status.ok()) return result;
      args.prepared = memory.back().data();
    }
  }
  const size_t bytes = entry.workspace == nullptr ? 0 : entry.workspace(device.context(), args);
  const DeviceMemory workspace(bytes);
  result.status = device.finish(entry.run(device.context(), args, {workspace.data(), bytes}));
  const size_t first = inputs.size();
  for (size_t i = 0; i < result.outputs.size(); ++i) memory[first + i].download(result.outputs[i].data);
  return result;
}

// Runs threads, warps and blocks in another order from now on: forward, reverse, then ever new random ones. On a GPU the order
// is not ours to choose.
inline void change_order([[maybe_unused]] uint64_t turn) {
#ifdef SILVERLODE_EMULATION
  emulation::Settings settings = emulation::settings();
  settings.order = turn == 0   ? emulation::Order::kForward
                   : turn == 1 ? emulation::Order::kReverse
                               : emulation::Order::kRandom;
  settings.order_seed = turn;
  emulation::reset(settings);
#endif
}

// Runs an op 100 times in changing orders: always the bytes `first`.
template <class Op>
void expect_repeats(const OpEntry<typename Op::Args>& entry, const Attributes& attributes,
                    const std::vector<TensorView>& inputs, const std::vector<uint8_t>& first,
                    const DeviceOptions& options = {}) {
  for (uint64_t turn = 0; turn < 100; ++turn) {
    change_order(turn);
    const OpResult again = run_cuda<Op>(entry, attributes, inputs, options);
    EXPECT_EQ(again.bytes(), first) << Op::kName << " in order " << turn;
    if (again.bytes() != first) break;
  }
  change_order(0);
}

// Both tables on the same inputs: equal outputs bit for bit, or the same error code. Returns the CUDA result.
template <class Op>
OpResult expect_same(const OpEntry<typename Op::Args>& cuda_entry, const OpEntry<typename Op::Args>& cpu_entry,
                     const Attributes& attributes, const std::vector<TensorView>& inputs,
                     const DeviceOptions& options = {}) {
  const OpResult expected = cpu::run_op<Op>(cpu_entry, attributes, inputs);
  OpResult result = run_cuda<Op>(cuda_entry, attributes, inputs, options);
  EXPECT_EQ(result.status.code, expected.status.code)
      << Op::kName << ": " << result.status.text << " / " << expected.status.text;
  if (!result.status.ok() || !expected.status.ok()) return result;
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    const auto bytes = static_cast<size_t>(expected.outputs[i].bytes());
    if (bytes == 0) continue;
    const auto* want = expected.outputs[i].as<const uint8_t>();
    const auto* have = result.outputs[i].as<const uint8_t>();
    const size_t at = static_cast<size_t>(std::mismatch(want, want + bytes, have).first - want);
    EXPECT_EQ(at, bytes) << Op::kName << ": output " << i << " " << shape_text(expected.outputs[i].shape)
                         << " differs at element " << at / dtype_size(expected.outputs[i].dtype);
  }
  return result;
}

}  // namespace silverlode::cuda
