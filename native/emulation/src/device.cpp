#include "emulation/src/device.h"

#include <algorithm>
#include <cstring>

#include "emulation/runtime_api.h"
#include "emulation/settings.h"
#include "emulation/src/kernel.h"
#include "emulation/src/streams.h"

namespace silverlode::emulation {

namespace {

constexpr char kName[] = "Silverlode host emulation (not a GPU)";
constexpr int kVersion = 13000;
constexpr int kMajor = 9;
constexpr int kMinor = 0;
constexpr int kL2Bytes = 4 << 20;
constexpr int kRegisters = 65536;
constexpr int kSharedPerMultiprocessor = 228 << 10;
constexpr int kReservedShared = 1 << 10;
constexpr int kMostBlocksPerMultiprocessor = 32;

cudaError_t fault_of_device = cudaSuccess;  // guarded by the device lock

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

std::mutex& device_mutex() {
  static auto* const kMutex = new std::mutex;  // never freed: host threads may outlive static destructors
  return *kMutex;
}

bool& in_host_function() {
  thread_local bool inside = false;
  return inside;
}

cudaError_t enter() {
  if (in_host_function()) return cudaErrorNotPermitted;
  if (!settings().error.empty()) return cudaErrorInitializationError;
  if (settings().no_device) return cudaErrorNoDevice;
  return fault_of_device;
}

cudaError_t leave(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

void set_fault(cudaError_t error) {
  if (fault_of_device == cudaSuccess) fault_of_device = error;
}

cudaError_t device_fault() { return fault_of_device; }

void reset_device() {
  const Lock lock(device_mutex());
  clear_streams();
  fault_of_device = last_error = cudaSuccess;
}

}  // namespace silverlode::emulation

using namespace silverlode::emulation;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  const Lock lock(device_mutex());
  *count = 0;
  const cudaError_t error = enter();
  if (error != cudaErrorNoDevice && error != cudaErrorInitializationError) *count = 1;
  return leave(*count == 1 ? cudaSuccess : error);
}

cudaError_t cudaSetDevice(int device) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  return leave(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int* device) {
  const Lock lock(device_mutex());
  *device = 0;
  return leave(enter());
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (device != 0) return leave(cudaErrorInvalidDevice);
  *properties = {};
  std::memcpy(properties->name, kName, sizeof kName);
  properties->totalGlobalMem = settings().memory_bytes;
  properties->sharedMemPerBlock = kStaticSharedBytes;
  properties->regsPerBlock = properties->regsPerMultiprocessor = kRegisters;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
  properties->maxThreadsDim[2] = 64;
  properties->maxGridSize[0] = 0x7fffffff;
  properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
  properties->major = kMajor;
  properties->minor = kMinor;
  properties->multiProcessorCount = kMultiprocessors;
  properties->canMapHostMemory = properties->concurrentKernels = properties->unifiedAddressing = 1;
  properties->asyncEngineCount = 2;
  properties->memoryBusWidth = 64;
  properties->l2CacheSize = kL2Bytes;
  properties->maxThreadsPerMultiProcessor = kThreadsPerMultiprocessor;
  properties->maxBlocksPerMultiProcessor = kMostBlocksPerMultiprocessor;
  properties->sharedMemPerMultiprocessor = kSharedPerMultiprocessor;
  properties->sharedMemPerBlockOptin = kMostSharedBytes;
  properties->reservedSharedMemPerBlock = kReservedShared;
  properties->cooperativeLaunch = properties->memoryPoolsSupported = properties->hostRegisterSupported = 1;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (device != 0) return leave(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = kStaticSharedBytes; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate: *value = 1000000; break;
    case cudaDevAttrMultiProcessorCount: *value = kMultiprocessors; break;
    case cudaDevAttrGlobalMemoryBusWidth: *value = 64; break;
    case cudaDevAttrL2CacheSize: *value = kL2Bytes; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = kThreadsPerMultiprocessor; break;
    case cudaDevAttrComputeCapabilityMajor: *value = kMajor; break;
    case cudaDevAttrComputeCapabilityMinor: *value = kMinor; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = kSharedPerMultiprocessor; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = kRegisters; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = kMostSharedBytes; break;
    case cudaDevAttrReservedSharedMemoryPerBlock: *value = kReservedShared; break;
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
    default: return leave(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = settings().no_device ? 0 : kVersion;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (const cudaError_t error = refuse_device_during_capture(); error != cudaSuccess) return leave(error);
  drain_all(lock);
  return leave(device_fault());
}

cudaError_t cudaDeviceReset() {
  reset_device();
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  const Lock lock(device_mutex());
  *least = 0;
  *greatest = -5;
  return leave(enter());
}

cudaError_t cudaGetLastError() {
  const Lock lock(device_mutex());
  const cudaError_t error = last_error;
  last_error = fault_of_device;
  return error;
}

cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (kernel == nullptr) return leave(cudaErrorInvalidDeviceFunction);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || static_cast<size_t>(value) > kMostSharedBytes) return leave(cudaErrorInvalidValue);
  dynamic_shared_limits()[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  *attributes = {};
  attributes->maxThreadsPerBlock = 1024;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = kMajor * 10 + kMinor;
  attributes->maxDynamicSharedSizeBytes = static_cast<int>(dynamic_shared_limit(kernel));
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int block_size,
                                                          size_t dynamic_shared_bytes) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (block_size < 1 || block_size > 1024) return leave(cudaErrorInvalidValue);
  const int by_threads = kThreadsPerMultiprocessor / block_size;
  const int by_shared = kSharedPerMultiprocessor / (static_cast<int>(dynamic_shared_bytes) + kReservedShared);
  *blocks = std::min({by_threads, by_shared, kMostBlocksPerMultiprocessor});
  return cudaSuccess;
}
}
