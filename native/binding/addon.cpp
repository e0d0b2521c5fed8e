// What the addon exports. The typed contract is lib/native/addon.ts; a test compares the two.
#include <napi.h>

#include "backends/plugin_loader.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"

namespace silverlode::binding {

namespace {

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<DeviceInfo> all = list_devices();
  const Napi::Array array = Napi::Array::New(env, all.size());
  for (uint32_t i = 0; i < all.size(); ++i) {
    const DeviceInfo& device = all[i];
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("id", device.id);
    entry.Set("name", device.name);
    entry.Set("available", device.available);
    if (!device.reason.empty()) entry.Set("reason", device.reason);
    if (!device.note.empty()) entry.Set("note", device.note);
    if (device.emulated) entry.Set("emulated", true);
    if (!device.compute_capability.empty()) entry.Set("computeCapability", device.compute_capability);
    if (!device.simd.empty()) entry.Set("simd", device.simd);
    if (!device.simd_levels.empty()) {
      const Napi::Array levels = Napi::Array::New(env, device.simd_levels.size());
      for (uint32_t l = 0; l < device.simd_levels.size(); ++l) levels.Set(l, device.simd_levels[l]);
      entry.Set("simdLevels", levels);
    }
    if (device.threads > 0) entry.Set("threads", device.threads);
    if (device.memory_bytes > 0) entry.Set("memoryBytes", static_cast<double>(device.memory_bytes));
    array.Set(i, entry);
  }
  return array;
}

Napi::Value names_of_ops(const Napi::CallbackInfo& info) {
  const std::vector<std::string> names = op_names();
  const Napi::Array array = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); ++i) array.Set(i, names[i]);
  return array;
}

// setErrorClass(class): errors are made with `new class(code, message)`
void set_error_class(const Napi::CallbackInfo& info) {
  EnvState::of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
}

// setCudaPlugin(path): where a package holds it
void set_cuda_plugin(const Napi::CallbackInfo& info) { set_installed_cuda_plugin(info[0].ToString().Utf8Value()); }

}  // namespace

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto* state = new EnvState(env);
  env.SetInstanceData(state);
  auto define = [&](const char* name, Napi::FunctionReference& slot, Napi::Function constructor) {
    slot = Napi::Persistent(constructor);
    exports.Set(name, constructor);
  };
  define("NativeTensor", state->tensor_class, Tensor::define(env));
  define("NativeDevice", state->device_class, DeviceHandle::define(env));
  define("NativeProgram", state->program_class, ProgramHandle::define(env));
  define("NativeFile", state->file_class, FileHandle::define(env));
  define("CancelFlag", state->cancel_class, CancelHandle::define(env));
  exports.Set("devices", Napi::Function::New(env, devices, "devices"));
  exports.Set("opNames", Napi::Function::New(env, names_of_ops, "opNames"));
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class, "setErrorClass"));
  exports.Set("setCudaPlugin", Napi::Function::New(env, set_cuda_plugin, "setCudaPlugin"));
  exports.Set("inferOp", Napi::Function::New(env, infer_op, "inferOp"));
  exports.Set("runOp", Napi::Function::New(env, run_op, "runOp"));
  exports.Set("createProgram", Napi::Function::New(env, ProgramHandle::create, "createProgram"));
  exports.Set("createProgramHere", Napi::Function::New(env, ProgramHandle::create_here, "createProgramHere"));
  exports.Set("deviceMemory", Napi::Function::New(env, device_memory, "deviceMemory"));
  exports.Set("copyTensor", Napi::Function::New(env, copy_tensor, "copyTensor"));
  exports.Set("readBandwidth", Napi::Function::New(env, read_bandwidth, "readBandwidth"));
  exports.Set("openFile", Napi::Function::New(env, FileHandle::open, "openFile"));
  exports.Set("lockFile", Napi::Function::New(env, lock_file, "lockFile"));
  exports.Set("checksums", Napi::Function::New(env, checksums, "checksums"));
  exports.Set("writeRows", Napi::Function::New(env, write_rows, "writeRows"));
  exports.Set("writeFile", Napi::Function::New(env, write_file, "writeFile"));
  return exports;
}

}  // namespace silverlode::binding

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return silverlode::binding::initialize(env, exports);
}

NODE_API_MODULE(silverlode, initialize)
