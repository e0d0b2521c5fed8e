#include "backends/bandwidth.h"
#include "binding/env_state.h"
#include "binding/handles.h"

namespace silverlode::binding {

namespace {
constexpr napi_type_tag kDeviceTag = {0x51a1e7f0c0de0002ull, 0x9d3c5b7a12e4f602ull};
constexpr napi_type_tag kCancelTag = {0x51a1e7f0c0de0003ull, 0x9d3c5b7a12e4f603ull};
}  // namespace

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
      {InstanceAccessor<&DeviceHandle::threads>("threads"), InstanceAccessor<&DeviceHandle::variant>("variant"),
       InstanceMethod("dispose", &DeviceHandle::dispose)});
}

DeviceHandle::DeviceHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceHandle>(info) {
  const Napi::Env env = info.Env();
  auto open = std::make_shared<OpenDevice>();
  check(env, open_device(info[0].ToString().Utf8Value(), info[1].ToNumber().Int32Value(),
                         info[2].ToString().Utf8Value(), open->device));
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
  job->work = [measured, device](Context&) {
    *measured = measure_read_bandwidth(*device);
    return ok_status();
  };
  job->settle = [measured](Napi::Env settled) -> Napi::Value { return Napi::Number::New(settled, *measured); };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
