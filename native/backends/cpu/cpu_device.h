// The CPU as a device: memory is host memory, and everything is done when a call returns.
#pragma once

#include <chrono>
#include <vector>

#include "backends/cpu/backend.h"
#include "ops/device.h"

namespace silverlode::cpu {

class CpuDevice final : public Device {
 public:
  CpuDevice(int32_t threads, const SimdTable& simd) : pool_(threads), runtime_{pool_, simd} {}

  const BackendTable& table() const override { return backend_table(); }
  void* backend() const override { return const_cast<Runtime*>(&runtime_); }
  int32_t threads() const override { return pool_.threads(); }
  const char* variant() const override { return runtime_.simd.name; }
  void parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) override;

  Place place() const override { return kHost; }
  Status allocate(size_t bytes, std::shared_ptr<void>& memory) override;

  Status begin_run() override { return ok_status(); }
  Status upload(void* to, const void* from_host, size_t bytes) override { return copy(to, from_host, bytes); }
  Status download(void* to_host, const void* from, size_t bytes) override { return copy(to_host, from, bytes); }
  Status copy(void* to, const void* from, size_t bytes) override;
  Status finish_run() override { return ok_status(); }

  // Nothing to gain from recording calls.
  bool records() const override { return false; }
  Status begin_recording() override;
  Status end_recording(std::shared_ptr<void>& recording) override;
  Status replay(const std::shared_ptr<void>& recording) override;

  void begin_range(const char*) override {}
  void end_range() override {}

  Status mark(size_t index) override;
  Status elapsed(size_t index, double& milliseconds) override;

 private:
  ThreadPool pool_;
  Runtime runtime_;
  std::vector<std::chrono::steady_clock::time_point> marks_;
};

}  // namespace silverlode::cpu
