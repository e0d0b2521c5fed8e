// Which devices there are, and opening one. The CPU is built in; the reason why anything else is missing is kept as text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/device.h"

namespace silverlode {

struct DeviceInfo {
  std::string id;  // "cpu", "cuda:0"
  std::string name;
  bool available = false;
  std::string reason;  // why not, when unavailable
  std::string note;    // what an available device does without
  std::string simd;    // CPU only: the level in use
  std::vector<std::string> simd_levels;
  int32_t threads = 0;  // default compute threads
  int64_t memory_bytes = 0;
  std::string compute_capability;  // GPU only: "9.0"
  bool emulated = false;
};

struct DeviceOptions {
  int32_t threads = 0;  // <= 0 means the default
  std::string simd;     // a level, or empty for the best one (or that of SILVERLODE_SIMD)
  bool graphs = true;   // GPU: programs are recorded as graphs
};

std::vector<DeviceInfo> list_devices();

Status open_device(const std::string& id, const DeviceOptions& options, std::unique_ptr<Device>& device);

}  // namespace silverlode
