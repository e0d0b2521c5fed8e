#include "backends/plugin_device.h"

#include "backends/plugin_loader.h"

namespace silverlode {

namespace {

Status allocate_with(const PluginTable& plugin, int32_t ordinal, size_t bytes, std::shared_ptr<void>& memory) {
  void* address = nullptr;
  if (Status status = plugin.allocate(ordinal, bytes, &address); !status.ok()) return status;
  const PluginTable* table = &plugin;
  memory = std::shared_ptr<void>(address, [table, ordinal](void* released) { table->release(ordinal, released); });
  return ok_status();
}

// The plugin, if it has that GPU.
Status require_gpu(Place place, const PluginTable*& plugin) {
  std::string reason;
  plugin = cuda_plugin(reason);
  if (plugin == nullptr) return make_error(Code::kDeviceUnavailable, "cuda:%d: %s", place, reason.c_str());
  int32_t count = 0;
  if (Status status = plugin->count(&count); !status.ok()) return status;
  if (place < count) return ok_status();
  return make_error(Code::kDeviceUnavailable, "there is no device 'cuda:%d'", place);
}

}  // namespace

std::string place_name(Place place) { return place == kHost ? "cpu" : "cuda:" + std::to_string(place); }

Status PluginDevice::open(const PluginTable& plugin, int32_t ordinal, int32_t threads, bool graphs,
                          std::unique_ptr<Device>& device) {
  PluginDeviceInfo info;
  plugin.describe(ordinal, &info);
  if (info.reason[0] != '\0') return make_error(Code::kDeviceUnavailable, "cuda:%d: %s", ordinal, info.reason);
  void* opened = nullptr;
  if (Status status = plugin.open(ordinal, &opened); !status.ok()) return status;
  const std::string variant =
      std::string(info.emulated ? "emulated sm_" : "sm_") + std::to_string(info.compute_capability);
  device.reset(new PluginDevice(plugin, ordinal, threads, graphs, variant, opened));
  return ok_status();
}

void PluginDevice::parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) {
  if (!pool_) pool_ = std::make_unique<cpu::ThreadPool>(threads_);
  pool_->parallel_for(n, [=](int64_t i, int32_t) { body(self, i); });
}

Status PluginDevice::allocate(size_t bytes, std::shared_ptr<void>& memory) {
  return allocate_with(plugin_, ordinal_, bytes, memory);
}

Status PluginDevice::end_recording(std::shared_ptr<void>& recording) {
  void* address = recording.get();
  const Status status = plugin_.end_recording(device_, &address);
  if (address == recording.get()) return status;
  // The old one, if any, was of another form; our share in it goes here.
  const PluginTable* table = &plugin_;
  const int32_t ordinal = ordinal_;
  recording =
      std::shared_ptr<void>(address, [table, ordinal](void* released) { table->release_recording(ordinal, released); });
  return status;
}

Status allocate_on(Place place, size_t bytes, std::shared_ptr<void>& memory) {
  const PluginTable* plugin = nullptr;
  if (Status status = require_gpu(place, plugin); !status.ok()) return status;
  return allocate_with(*plugin, place, bytes, memory);
}

Status write_on(Place place, void* to, const void* from_host, size_t bytes) {
  const PluginTable* plugin = nullptr;
  if (Status status = require_gpu(place, plugin); !status.ok()) return status;
  return plugin->write(place, to, from_host, bytes);
}

Status memory_on(Place place, size_t& free_bytes, size_t& total_bytes) {
  const PluginTable* plugin = nullptr;
  if (Status status = require_gpu(place, plugin); !status.ok()) return status;
  return plugin->memory_info(place, &free_bytes, &total_bytes);
}

std::shared_ptr<void> allocate_pinned(size_t bytes) {
  const PluginTable* plugin = nullptr;
  void* address = nullptr;
  if (!require_gpu(0, plugin).ok() || !plugin->allocate_pinned(bytes, &address).ok()) return nullptr;
  return std::shared_ptr<void>(address, plugin->release_pinned);
}

}  // namespace silverlode
