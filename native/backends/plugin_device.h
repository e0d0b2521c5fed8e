// A GPU as a device, through the plugin's table.
#pragma once

#include <memory>
#include <string>

#include "backends/cpu/thread_pool.h"
#include "backends/plugin.h"
#include "ops/device.h"

namespace silverlode {

class PluginDevice final : public Device {
 public:
  static Status open(const PluginTable& plugin, int32_t ordinal, int32_t threads, bool graphs,
                     std::unique_ptr<Device>& device);
  ~PluginDevice() override { plugin_.close(device_); }

  const BackendTable& table() const override { return plugin_.table(); }
  void* backend() const override { return plugin_.backend(device_); }
  int32_t threads() const override { return threads_; }
  const char* variant() const override { return variant_.c_str(); }
  void parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) override;

  Place place() const override { return ordinal_; }
  Status allocate(size_t bytes, std::shared_ptr<void>& memory) override;

  Status begin_run() override { return plugin_.begin_run(device_); }
  Status upload(void* to, const void* from_host, size_t bytes) override {
    return plugin_.upload(device_, to, from_host, bytes);
  }
  Status download(void* to_host, const void* from, size_t bytes) override {
    return plugin_.download(device_, to_host, from, bytes);
  }
  Status copy(void* to, const void* from, size_t bytes) override { return plugin_.copy(device_, to, from, bytes); }
  Status finish_run() override { return plugin_.finish_run(device_); }

  bool records() const override { return graphs_; }
  Status begin_recording() override { return plugin_.begin_recording(device_); }
  Status end_recording(std::shared_ptr<void>& recording) override;
  Status replay(const std::shared_ptr<void>& recording) override { return plugin_.replay(device_, recording.get()); }

  void begin_range(const char* name) override { plugin_.begin_range(name); }
  void end_range() override { plugin_.end_range(); }

  Status mark(size_t index) override { return plugin_.mark(device_, index); }
  Status elapsed(size_t index, double& milliseconds) override { return plugin_.elapsed(device_, index, &milliseconds); }

 private:
  PluginDevice(const PluginTable& plugin, int32_t ordinal, int32_t threads, bool graphs, std::string variant,
               void* device)
      : plugin_(plugin),
        ordinal_(ordinal),
        threads_(threads),
        graphs_(graphs),
        variant_(std::move(variant)),
        device_(device) {}

  const PluginTable& plugin_;
  const int32_t ordinal_;
  const int32_t threads_;
  const bool graphs_;
  const std::string variant_;
  void* const device_;
  std::unique_ptr<cpu::ThreadPool> pool_;  // started when host work first comes: checksums of a model file
};

// "cuda:0", "cuda:1", … or "cpu".
std::string place_name(Place place);

// Memory of a GPU without an open device, for tensors. Errors say how much there is.
Status allocate_on(Place place, size_t bytes, std::shared_ptr<void>& memory);
// Copies host bytes into memory of a GPU; done when it returns.
Status write_on(Place place, void* to, const void* from_host, size_t bytes);
// Free and total bytes of a GPU.
Status memory_on(Place place, size_t& free_bytes, size_t& total_bytes);
// Page-locked host memory; null (not an error) where there is no GPU to copy to.
std::shared_ptr<void> allocate_pinned(size_t bytes);

}  // namespace silverlode
