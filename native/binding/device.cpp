#include <system_error>

#include "backends/bandwidth.h"
#include "backends/plugin_device.h"
#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"
#include "core/aligned.h"

namespace silverlode::binding {

namespace {
constexpr napi_type_tag kDeviceTag = {0x51a1e7f0c0de0002ull, 0x9d3c5b7a12e4f602ull};
constexpr napi_type_tag kCancelTag = {0x51a1e7f0c0de0003ull, 0x9d3c5b7a12e4f603ull};
}  // namespace

Status OpenDevice::attempt(const std::function<Status(Context& context)>& work,
                           const std::atomic<uint32_t>* cancel) const {
  Context made = context(cancel);
  try {
    return work(made);
  } catch (const std::bad_alloc&) {
    return make_error(Code::kOutOfMemory, "out of memory");
  } catch (const std::exception& unexpected) {
    return make_error(Code::kInternal, "%s", unexpected.what());
  }
}

Status OpenDevice::run_here(const std::function<Status(Context& context)>& work) {
  Status status;
  executor.run_here([&] { status = attempt(work, nullptr); });
  return status;
}

Napi::Function CancelHandle::define(Napi::Env env) {
  return DefineClass(env, "CancelFlag", {InstanceMethod("cancel", &CancelHandle::cancel)});
}

CancelHandle::CancelHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelHandle>(info) {
  info.This().As<Napi::Object>().TypeTag(&kCancelTag);
}

std::shared_ptr<std::atomic<uint32_t>> CancelHandle::from(const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return nullptr;
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kCancelTag)) {
    check(value.Env(), make_error(Code::kInvalidArgument, "expected a CancelFlag"));
  }
  return Unwrap(value.As<Napi::Object>())->flag_;
}

Napi::Function DeviceHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeDevice",
      {InstanceAccessor<&DeviceHandle::id>("id"), InstanceAccessor<&DeviceHandle::threads>("threads"),
       InstanceAccessor<&DeviceHandle::variant>("variant"), InstanceMethod("dispose", &DeviceHandle::dispose)});
}

DeviceHandle::DeviceHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceHandle>(info) {
  const Napi::Env env = info.Env();
  std::shared_ptr<OpenDevice> open;
  try {
    open = std::make_shared<OpenDevice>();
  } catch (const std::system_error& refused) {
    check(env, make_error(Code::kDeviceUnavailable, "the system refuses another thread: %s", refused.what()));
  }
  const DeviceOptions options{info[1].ToNumber().Int32Value(), info[2].ToString().Utf8Value(), info[3].ToBoolean()};
  check(env, open_device(info[0].ToString().Utf8Value(), options, open->device));
  device_ = std::move(open);
  info.This().As<Napi::Object>().TypeTag(&kDeviceTag);
}

std::shared_ptr<OpenDevice> DeviceHandle::from(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kDeviceTag)) {
    check(value.Env(), make_error(Code::kInvalidArgument, "expected a NativeDevice"));
  }
  const std::shared_ptr<OpenDevice>& device = Unwrap(value.As<Napi::Object>())->device_;
  if (!device) check(value.Env(), make_error(Code::kDisposed, "the device was disposed"));
  return device;
}

Napi::Value DeviceHandle::id(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), device_ ? place_name(device_->device->place()) : "");
}

Napi::Value DeviceHandle::threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), device_ ? device_->device->threads() : 0);
}

Napi::Value DeviceHandle::variant(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), device_ ? device_->device->variant() : "");
}

void DeviceHandle::dispose(const Napi::CallbackInfo&) { device_.reset(); }

Napi::Value read_bandwidth(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  auto measured = std::make_shared<double>(0);
  Device* device = job->device->device.get();
  job->work = [measured, device](Context&) { return measure_read_bandwidth(*device, *measured); };
  job->settle = [measured](Napi::Env settled) -> Napi::Value { return Napi::Number::New(settled, *measured); };
  return EnvState::of(env).start(env, std::move(job));
}

Napi::Value device_memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  const Place place = job->device->device->place();
  auto bytes = std::make_shared<std::pair<size_t, size_t>>();
  job->work = [=](Context&) { return place == kHost ? ok_status() : memory_on(place, bytes->first, bytes->second); };
  job->settle = [=](Napi::Env settled) -> Napi::Value {
    if (place == kHost) return settled.Undefined();
    const Napi::Object memory = Napi::Object::New(settled);
    memory.Set("freeBytes", static_cast<double>(bytes->first));
    memory.Set("totalBytes", static_cast<double>(bytes->second));
    return memory;
  };
  return EnvState::of(env).start(env, std::move(job));
}

// copyTensor(device, tensor, to) -> Promise<NativeTensor>: `to` is the device's own memory or the host's.
Napi::Value copy_tensor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  Device* device = job->device->device.get();
  const Tensor& tensor = Tensor::from(info[1], "tensor");
  const TensorView view = tensor.view();
  const Place from = tensor.place();
  const Place to = read_place(info[2]);
  if ((to != kHost && to != device->place()) || (to == kHost && from != kHost && from != device->place())) {
    check(env, make_error(Code::kInvalidArgument, "%s cannot copy from %s to %s", place_name(device->place()).c_str(),
                          place_name(from).c_str(), place_name(to).c_str()));
  }
  auto target = std::make_shared<std::shared_ptr<void>>();
  job->work = [=, memory = tensor.memory()](Context&) {
    const size_t bytes = static_cast<size_t>(view.bytes());
    if (to == kHost) {
      *target = allocate_aligned(bytes);
      if (!*target) return make_error(Code::kOutOfMemory, "cannot allocate %zu bytes", bytes);
    } else if (Status status = device->allocate(bytes, *target); !status.ok()) {
      return status;
    }
    Status status = device->begin_run();
    if (status.ok() && bytes > 0) {
      status = from == kHost ? device->upload(target->get(), view.data, bytes)
               : to == kHost ? device->download(target->get(), view.data, bytes)
                             : device->copy(target->get(), view.data, bytes);
    }
    const Status finished = device->finish_run();
    return status.ok() ? finished : status;
  };
  job->settle = [=](Napi::Env settled) -> Napi::Value {
    return Tensor::make(settled, {target->get(), view.dtype, view.shape}, *target, to == kHost ? view.bytes() : 0, to);
  };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
