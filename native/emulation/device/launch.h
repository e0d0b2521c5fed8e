// cudaLaunchKernelEx: the kernel and a copy of its arguments travel to the stream as one object.
#pragma once

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "emulation/runtime_api.h"

namespace silverlode::emulation {

// A kernel bound to its arguments; run() is the life of one thread.
class KernelCall {
 public:
  virtual ~KernelCall() = default;
  virtual void run() const = 0;
  // The bytes of the object: device code may read them.
  virtual std::pair<const void*, size_t> extent() const = 0;
};

template <class... Parameters>
class BoundKernel final : public KernelCall {
 public:
  template <class... Arguments>
  explicit BoundKernel(void (*kernel)(Parameters...), Arguments&&... arguments)
      : kernel_(kernel), arguments_(static_cast<Parameters>(std::forward<Arguments>(arguments))...) {}
  void run() const override { std::apply(kernel_, arguments_); }
  std::pair<const void*, size_t> extent() const override { return {this, sizeof *this}; }

 private:
  void (*kernel_)(Parameters...);
  std::tuple<std::remove_cv_t<Parameters>...> arguments_;
};

// Errors: as cudaLaunchKernelEx.
cudaError_t launch_kernel(const cudaLaunchConfig_t& config, const void* kernel, std::shared_ptr<const KernelCall> call);

}  // namespace silverlode::emulation

template <class... Parameters, class... Arguments>
inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                                      Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "wrong number of kernel arguments");
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernel arguments are copied byte by byte");
  static_assert((!std::is_reference_v<Parameters> && ...), "a kernel takes its arguments by value");
  return silverlode::emulation::launch_kernel(*config, reinterpret_cast<const void*>(kernel),
                                              std::make_shared<silverlode::emulation::BoundKernel<Parameters...>>(
                                                  kernel, std::forward<Arguments>(arguments)...));
}
