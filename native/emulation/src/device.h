// The one emulated device: its lock, its errors, its streams and its memory.
#pragma once

#include <cstddef>
#include <mutex>

#include "emulation/runtime_types.h"

namespace silverlode::emulation {

inline constexpr size_t kStaticSharedBytes = 48 << 10;
inline constexpr size_t kMostSharedBytes = 227 << 10;
inline constexpr int kMultiprocessors = 4;
inline constexpr int kThreadsPerMultiprocessor = 2048;

// Held by every call of the API, except while a host function runs.
using Lock = std::unique_lock<std::mutex>;
std::mutex& device_mutex();

// What an API call begins with: an error if the device is absent, faulted, or the caller is a host function of a stream.
cudaError_t enter();
// Remembers an error for cudaGetLastError and returns it.
cudaError_t leave(cudaError_t error);

// A fault stays until the device is reset.
void set_fault(cudaError_t error);
cudaError_t device_fault();

// True while a host function of a stream runs on this host thread.
bool& in_host_function();

void reset_device();

}  // namespace silverlode::emulation
