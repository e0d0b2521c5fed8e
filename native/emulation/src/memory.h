// Device and pinned memory. Every allocation is a heap block of its own and exactly as long as asked for, so that a sanitizer
// sees its ends; device memory is filled with garbage, and poisoned while no kernel or copy runs.
#pragma once

#include <cstddef>
#include <optional>

#include "emulation/runtime_types.h"

namespace silverlode::emulation {

struct Allocation {
  size_t bytes;
  cudaMemoryType type;
  bool registered;  // memory of the program that it has pinned
  CUmemPoolHandle_st* pool;
};

struct Placed {
  const void* begin;
  Allocation allocation;
};

// The allocation that an address lies in.
std::optional<Placed> find_allocation(const void* address);
// True if all of [address, address + bytes) lies in one allocation of device memory.
bool in_device_memory(const void* address, size_t bytes);
// Tells the checker, if there is one, that the device wrote here.
void device_wrote(const void* address, size_t bytes);

size_t device_bytes_in_use();

// While one exists the device may touch its memory.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace silverlode::emulation
