// A physical GPU of this process: what it is, whether it still works, its memory. One object per ordinal, shared by every
// queue and tensor, usable from any thread.
#pragma once

#include <memory>
#include <mutex>

#include "backends/cuda/handles.h"
#include "backends/cuda/runtime.h"
#include "backends/plugin.h"

namespace silverlode::cuda {

class Gpu {
 public:
  // With no GPU an error that says why: no driver, too old a driver, no device.
  static Status count(int32_t& count);
  // 0 <= ordinal < count. Lives as long as the process.
  static Gpu& at(int32_t ordinal);

  explicit Gpu(int32_t ordinal);

  void describe(PluginDeviceInfo& info) const;
  const DeviceLimits& limits() const { return limits_; }

  // Makes it the calling thread's device. CUDA_ERROR once it is dead.
  Status use();
  // After an error that CUDA cannot recover from in this process: every later call fails with it.
  void die(const Status& cause);

  // Stream-ordered memory. Freeing never waits for the GPU, so it may happen on the event loop's thread.
  Status allocate(size_t bytes, void*& memory);
  void release(void* memory);
  Status write(void* to, const void* from_host, size_t bytes);
  Status memory_info(size_t& free_bytes, size_t& total_bytes);

 private:
  Status prepare();  // the context, on first use
  Status alive();

  const int32_t ordinal_;
  cudaDeviceProp properties_ = {};
  Status known_;  // whether the properties could be read
  DeviceLimits limits_;

  std::mutex mutex_;
  bool prepared_ = false;  // guarded by mutex_
  Stream memory_stream_;   // set while prepared_ is
  std::mutex death_mutex_;
  Status death_;  // guarded by death_mutex_
};

}  // namespace silverlode::cuda
