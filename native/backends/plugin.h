// The border between the addon and a backend plugin (a shared library beside it): one exported function that hands over this
// plain table. Both sides are built from the same headers; the version and the sizes tell when they were not.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct BackendTable;

constexpr uint32_t kPluginVersion = 1;

struct PluginDeviceInfo {
  char name[256] = {0};
  char reason[244] = {0};  // why it cannot be used; empty when it can
  char note[244] = {0};    // what it does without
  int64_t memory_bytes = 0;
  int32_t compute_capability = 0;  // 90 for 9.0
  bool emulated = false;
};

// Memory is a property of a GPU, named by its ordinal, and may be used and freed on any thread. A `device` is one open queue of
// runs with its own stream; its functions are called by one thread at a time, in the order that ops/device.h describes.
struct PluginTable {
  uint32_t version = kPluginVersion;
  uint32_t backend_table_version = 0;
  uint32_t plugin_table_bytes = 0;  // sizeof, as both sides see it
  uint32_t backend_table_bytes = 0;
  uint32_t status_bytes = sizeof(Status);
  uint32_t context_bytes = sizeof(Context);

  // How many GPUs there are; with none, an error that says why.
  Status (*count)(int32_t* count);
  void (*describe)(int32_t ordinal, PluginDeviceInfo* info);
  const BackendTable& (*table)();

  Status (*allocate)(int32_t ordinal, size_t bytes, void** memory);
  void (*release)(int32_t ordinal, void* memory);
  Status (*write)(int32_t ordinal, void* to, const void* from_host, size_t bytes);  // done when it returns
  Status (*memory_info)(int32_t ordinal, size_t* free_bytes, size_t* total_bytes);
  Status (*allocate_pinned)(size_t bytes, void** memory);
  void (*release_pinned)(void* memory);

  Status (*open)(int32_t ordinal, void** device);
  void (*close)(void* device);
  void* (*backend)(void* device);  // Context::backend
  Status (*begin_run)(void* device);
  Status (*upload)(void* device, void* to, const void* from_host, size_t bytes);
  Status (*download)(void* device, void* to_host, const void* from, size_t bytes);
  Status (*copy)(void* device, void* to, const void* from, size_t bytes);
  Status (*finish_run)(void* device);
  Status (*begin_recording)(void* device);
  Status (*end_recording)(void* device, void** recording);  // updates *recording, or replaces it
  Status (*replay)(void* device, void* recording);
  void (*release_recording)(int32_t ordinal, void* recording);
  void (*begin_range)(const char* name);
  void (*end_range)();
  Status (*mark)(void* device, size_t index);
  Status (*elapsed)(void* device, size_t index, double* milliseconds);
};

// The name and type of the exported function.
constexpr const char* kPluginEntry = "silverlode_cuda_plugin";
using PluginEntry = const PluginTable* (*)();

}  // namespace silverlode
