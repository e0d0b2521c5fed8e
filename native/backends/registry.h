// Which devices there are, and opening one. The CPU is built in; the reason why anything else is missing is kept as text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/backend_table.h"

namespace silverlode {

struct DeviceInfo {
  std::string id;  // "cpu", "cuda:0"
  std::string name;
  bool available = false;
  std::string reason;  // why not, when unavailable
  std::string simd;    // CPU only: the level in use
  std::vector<std::string> simd_levels;
  int32_t threads = 0;  // default compute threads
  int64_t memory_bytes = 0;
};

// An open device: a backend table with the state its functions need. One run at a time (see Executor).
class Device {
 public:
  virtual ~Device() = default;
  virtual const BackendTable& table() const = 0;
  virtual void* backend() const = 0;
  virtual int32_t threads() const = 0;
  virtual const char* variant() const = 0;  // CPU: the SIMD level in use
  // Calls body(i) for i in [0, n), on the device's compute threads where it has any.
  virtual void parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) = 0;
};

std::vector<DeviceInfo> list_devices();

// `threads` <= 0 means the default. `simd` names a level, or is empty for the best one (or that of SILVERLODE_SIMD).
Status open_device(const std::string& id, int32_t threads, const std::string& simd, std::unique_ptr<Device>& device);

}  // namespace silverlode
