#include "binding/tensor.h"

#include <cstring>

#include "backends/plugin_device.h"
#include "binding/convert.h"
#include "binding/env_state.h"
#include "core/aligned.h"

namespace silverlode::binding {

namespace {
constexpr napi_type_tag kTag = {0x51a1e7f0c0de0001ull, 0x9d3c5b7a12e4f601ull};
}

Napi::Function Tensor::define(Napi::Env env) {
  return DefineClass(env, "NativeTensor",
                     {StaticMethod("allocate", &Tensor::allocate), InstanceAccessor<&Tensor::dtype>("dtype"),
                      InstanceAccessor<&Tensor::shape>("shape"), InstanceAccessor<&Tensor::device>("device"),
                      InstanceMethod("buffer", &Tensor::buffer), InstanceMethod("write", &Tensor::write),
                      InstanceMethod("reshape", &Tensor::reshape), InstanceMethod("dispose", &Tensor::dispose)});
}

Tensor::Tensor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Tensor>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Tensor::~Tensor() {
  if (accounted_ != 0) Napi::MemoryManagement::AdjustExternalMemory(Env(), -accounted_);
}

Napi::Object Tensor::make(Napi::Env env, const TensorView& view, std::shared_ptr<void> memory, int64_t accounted,
                          Place place) {
  const Napi::Object object = EnvState::of(env).tensor_class.New({});
  Tensor& tensor = *Unwrap(object);
  tensor.view_ = view;
  tensor.memory_ = std::move(memory);
  tensor.accounted_ = accounted;
  tensor.place_ = place;
  if (accounted != 0) Napi::MemoryManagement::AdjustExternalMemory(env, accounted);
  return object;
}

Tensor& Tensor::from(const Napi::Value& value, const char* what) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw EnvState::of(value.Env()).error(value.Env(), make_error(Code::kInvalidArgument, "%s is not a tensor", what));
  }
  Tensor& tensor = *Unwrap(value.As<Napi::Object>());
  tensor.require_alive(value.Env());
  return tensor;
}

Tensor& Tensor::on_host(const Napi::Value& value, const char* what) {
  Tensor& tensor = from(value, what);
  tensor.require_host(value.Env());
  return tensor;
}

void Tensor::require_alive(Napi::Env env) const {
  if (!memory_) check(env, make_error(Code::kDisposed, "the tensor was disposed"));
}

void Tensor::require_host(Napi::Env env) const {
  if (place_ == kHost) return;
  check(env, make_error(Code::kInvalidArgument, "the tensor is on %s; read() or to('cpu') copies it to the host",
                        place_name(place_).c_str()));
}

namespace {

std::shared_ptr<void> allocate_host(Napi::Env env, size_t bytes, bool pinned) {
  std::shared_ptr<void> memory = pinned ? allocate_pinned(bytes) : nullptr;
  if (memory) {
    std::memset(memory.get(), 0, bytes);
    return memory;
  }
  memory = allocate_zeroed(bytes);
  if (!memory) check(env, make_error(Code::kOutOfMemory, "cannot allocate %zu bytes", bytes));
  return memory;
}

}  // namespace

// allocate(dtype, shape, device?, pinned?): zero-filled on the host, contents undefined on a GPU
Napi::Value Tensor::allocate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  TensorView view;
  view.dtype = read_dtype(info[0]);
  view.shape = read_shape(info[1]);
  const int64_t bytes = view.shape.elements() < 0 ? -1 : view.bytes();
  if (bytes < 0) check(env, make_error(Code::kLimitExceeded, "the shape is too large"));
  const Place place = info[2].IsUndefined() ? kHost : read_place(info[2]);
  std::shared_ptr<void> memory;
  if (place == kHost) {
    memory = allocate_host(env, static_cast<size_t>(bytes), info[3].ToBoolean());
  } else {
    check(env, allocate_on(place, static_cast<size_t>(bytes), memory));
  }
  view.data = memory.get();
  return make(env, view, std::move(memory), place == kHost ? bytes : 0, place);
}

Napi::Value Tensor::dtype(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), dtype_name(view_.dtype));
}

Napi::Value Tensor::device(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), place_name(place_)); }

Napi::Value Tensor::shape(const Napi::CallbackInfo& info) { return write_shape(info.Env(), view_.shape); }

Napi::Value Tensor::buffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  require_alive(env);
  require_host(env);
  const size_t bytes = static_cast<size_t>(view_.bytes());
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);
  auto* share = new std::shared_ptr<void>(memory_);
  napi_value result;
  const napi_status status = napi_create_external_arraybuffer(
      env, view_.data, bytes, [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<void>*>(hint); },
      share, &result);
  if (status == napi_ok) return Napi::Value(env, result);
  delete share;
  // Runtimes with a memory cage refuse foreign memory: hand out a copy.
  Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, bytes);
  std::memcpy(copy.Data(), view_.data, bytes);
  return copy;
}

// write(byteOffset, bytes: Uint8Array)
void Tensor::write(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  require_alive(env);
  const int64_t offset = info[0].ToNumber().Int64Value();
  Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  const int64_t length = static_cast<int64_t>(bytes.ByteLength());
  if (offset < 0 || length > view_.bytes() || offset > view_.bytes() - length) {
    check(env, make_error(Code::kInvalidArgument, "%lld bytes at %lld do not fit in a tensor of %lld",
                          static_cast<long long>(length), static_cast<long long>(offset),
                          static_cast<long long>(view_.bytes())));
  }
  if (length == 0) return;
  if (place_ == kHost) {
    std::memcpy(view_.as<uint8_t>() + offset, bytes.Data(), static_cast<size_t>(length));
  } else {
    check(env, write_on(place_, view_.as<uint8_t>() + offset, bytes.Data(), static_cast<size_t>(length)));
  }
}

Napi::Value Tensor::reshape(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  require_alive(env);
  TensorView view = view_;
  view.shape = read_shape(info[0]);
  if (view.shape.elements() != view_.shape.elements()) {
    check(env,
          make_error(Code::kShapeMismatch, "reshape: %lld elements into %lld",
                     static_cast<long long>(view_.shape.elements()), static_cast<long long>(view.shape.elements())));
  }
  return make(env, view, memory_, 0, place_);
}

void Tensor::dispose(const Napi::CallbackInfo& info) { release(info.Env()); }

void Tensor::release(Napi::Env env) {
  memory_.reset();
  if (accounted_ != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -accounted_);
  accounted_ = 0;
}

}  // namespace silverlode::binding
