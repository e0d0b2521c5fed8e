// A tensor as JavaScript holds it: dtype, shape and a share in native memory, of the host or of a GPU. Memory never moves, so a view that
// JavaScript detaches or a file that is unmapped late cannot pull it from under running work.
#pragma once

#include <napi.h>

#include <memory>

#include "ops/device.h"

namespace silverlode::binding {

class Tensor : public Napi::ObjectWrap<Tensor> {
 public:
  static Napi::Function define(Napi::Env env);
  // `memory` keeps view.data alive; `accounted` bytes are reported to the garbage collector.
  static Napi::Object make(Napi::Env env, const TensorView& view, std::shared_ptr<void> memory, int64_t accounted,
                           Place place = kHost);
  // Throws INVALID_ARGUMENT for anything else, DISPOSED for a disposed tensor.
  static Tensor& from(const Napi::Value& value, const char* what);
  // Also throws INVALID_ARGUMENT for a tensor that is not in host memory.
  static Tensor& on_host(const Napi::Value& value, const char* what);

  explicit Tensor(const Napi::CallbackInfo& info);
  ~Tensor() override;

  const TensorView& view() const { return view_; }
  const std::shared_ptr<void>& memory() const { return memory_; }
  Place place() const { return place_; }

 private:
  static Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value dtype(const Napi::CallbackInfo& info);
  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value buffer(const Napi::CallbackInfo& info);
  void write(const Napi::CallbackInfo& info);
  Napi::Value reshape(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  void release(Napi::Env env);
  void require_alive(Napi::Env env) const;
  void require_host(Napi::Env env) const;

  TensorView view_;
  std::shared_ptr<void> memory_;
  int64_t accounted_ = 0;
  Place place_ = kHost;
};

}  // namespace silverlode::binding
