// The classes JavaScript sees besides tensors: devices, programs, model files and cancel flags.
#pragma once

#include <napi.h>

#include "binding/device.h"
#include "program/run.h"
#include "snapshot/mapped_file.h"

namespace silverlode::binding {

// new CancelFlag(); cancel() asks the work it was given to for stopping at the next step.
class CancelHandle : public Napi::ObjectWrap<CancelHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  // Null for undefined.
  static std::shared_ptr<std::atomic<uint32_t>> from(const Napi::Value& value);

  explicit CancelHandle(const Napi::CallbackInfo& info);

 private:
  void cancel(const Napi::CallbackInfo&) { flag_->store(1, std::memory_order_relaxed); }

  std::shared_ptr<std::atomic<uint32_t>> flag_ = std::make_shared<std::atomic<uint32_t>>(0);
};

// new NativeDevice(id, threads, simd, graphs): compute threads and the executor that drives them. After dispose() they end with the
// last program or job that uses them, rather than when the handle is collected.
class DeviceHandle : public Napi::ObjectWrap<DeviceHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  static std::shared_ptr<OpenDevice> from(const Napi::Value& value);

  explicit DeviceHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value id(const Napi::CallbackInfo& info);
  Napi::Value threads(const Napi::CallbackInfo& info);
  Napi::Value variant(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo&);

  std::shared_ptr<OpenDevice> device_;
};

// A planned program. What runs need is shared, so that disposing the handle never waits for them.
class ProgramHandle : public Napi::ObjectWrap<ProgramHandle> {
 public:
  struct State {
    std::shared_ptr<OpenDevice> device;
    std::vector<std::shared_ptr<void>> constant_memory;
    std::unique_ptr<Plan> plan;
    RunScratch scratch;  // of the run in progress; runs of a device follow one another
  };

  static Napi::Function define(Napi::Env env);
  // (device, program, constants, capacities, countOnly) -> Promise<NativeProgram>
  static Napi::Value create(const Napi::CallbackInfo& info);
  // (device, program, constants, capacities) -> NativeProgram, planned on this thread
  static Napi::Value create_here(const Napi::CallbackInfo& info);

  explicit ProgramHandle(const Napi::CallbackInfo& info);

 private:
  struct Draft;

  Napi::Value sizes(const Napi::CallbackInfo& info);
  Napi::Value output_shapes(const Napi::CallbackInfo& info);
  Napi::Value value_shapes(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value run_to_arrays(const Napi::CallbackInfo& info);
  Napi::Value run_here(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  State& state(Napi::Env env) const;

  std::shared_ptr<State> state_;
};

// A model file open for reading. Tensors made from it share its memory, also after dispose().
class FileHandle : public Napi::ObjectWrap<FileHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  // (device, path) -> Promise<NativeFile>
  static Napi::Value open(const Napi::CallbackInfo& info);

  explicit FileHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value tensor(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo&);
  snapshot::MappedFile& file(Napi::Env env) const;

  std::shared_ptr<snapshot::MappedFile> file_;
};

// (device, op, attributes, inputs, cancel?) -> Promise<NativeTensor[]>
Napi::Value run_op(const Napi::CallbackInfo& info);
// (device) -> Promise<number>: bytes per second read from memory
Napi::Value read_bandwidth(const Napi::CallbackInfo& info);
// (device) -> Promise<{freeBytes, totalBytes} | undefined>
Napi::Value device_memory(const Napi::CallbackInfo& info);
// (device, tensor, to) -> Promise<NativeTensor>
Napi::Value copy_tensor(const Napi::CallbackInfo& info);
// (op, attributes, inputs: [{dtype, shape} | null]) -> [{dtype, shape}]
Napi::Value infer_op(const Napi::CallbackInfo& info);
// (fd) -> boolean: false when another open file has the lock
Napi::Value lock_file(const Napi::CallbackInfo& info);
// (device, tensors) -> Promise<string[]>: 16 hex digits each
Napi::Value checksums(const Napi::CallbackInfo& info);
// (device, table, rows: Int32Array, bytes: Uint8Array) -> Promise<void>: rows of a table, replaced between two runs
Napi::Value write_rows(const Napi::CallbackInfo& info);
// (device, path, header: Uint8Array, tensors) -> Promise<void>
Napi::Value write_file(const Napi::CallbackInfo& info);

}  // namespace silverlode::binding
