// CUDA handles with an owner.
#pragma once

#include <cuda_runtime.h>

#include <utility>

namespace silverlode::cuda {

template <class Handle, cudaError_t (*destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, Handle())) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  // Fails only when the device is lost, and then there is nothing left to free.
  ~Owned() {
    if (handle_ != Handle()) (void)destroy(handle_);
  }

  Handle get() const { return handle_; }
  Handle* out() { return &handle_; }  // for the call that creates it; once

 private:
  Handle handle_ = Handle();
};

using Stream = Owned<cudaStream_t, cudaStreamDestroy>;
using Event = Owned<cudaEvent_t, cudaEventDestroy>;
using GraphRecording = Owned<cudaGraph_t, cudaGraphDestroy>;
using PinnedBytes = Owned<void*, cudaFreeHost>;

}  // namespace silverlode::cuda
