#include "emulation/src/memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "emulation/runtime_api.h"
#include "emulation/settings.h"
#include "emulation/src/observer.h"
#include "emulation/src/streams.h"

struct CUmemPoolHandle_st {
  uint64_t release_threshold = 0;
  uint64_t used = 0;
  uint64_t used_high = 0;
};

namespace silverlode::emulation {

namespace {

constexpr size_t kDeviceAlign = 256;
constexpr size_t kPinnedAlign = 4096;
constexpr unsigned char kDeviceGarbage = 0xCD;
constexpr unsigned char kPinnedGarbage = 0xCE;

// The key hides the address: a leak checker that finds it here would take the memory for reachable.
using Key = uintptr_t;
constexpr Key kHidden = Key{1} << 63;
Key key_of(const void* address) { return reinterpret_cast<Key>(address) | kHidden; }
void* address_of(Key key) { return reinterpret_cast<void*>(key & ~kHidden); }

struct Memory {
  std::map<Key, Allocation> allocations;
  size_t in_use = 0;
  int accesses = 0;
  CUmemPoolHandle_st default_pool;
};

Memory& memory() {
  static auto* const kMemory = new Memory;  // never freed: host threads may outlive static destructors
  return *kMemory;
}

void poison([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(address, bytes);
#endif
}

void unpoison([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(address, bytes);
#endif
}

void* allocate_device(size_t bytes, CUmemPoolHandle_st* pool) {
  if (memory().in_use + bytes > settings().memory_bytes || memory().in_use + bytes < bytes) return nullptr;
  void* address = nullptr;
  if (observer != nullptr) {
    address = observer->allocate_device(bytes);
  } else if (posix_memalign(&address, kDeviceAlign, bytes) != 0) {
    return nullptr;
  }
  if (address == nullptr) return nullptr;
  std::memset(address, kDeviceGarbage, bytes);
  if (memory().accesses == 0) poison(address, bytes);
  memory().allocations[key_of(address)] = {bytes, cudaMemoryTypeDevice, false, pool};
  memory().in_use += bytes;
  if (pool != nullptr) pool->used_high = std::max(pool->used_high, pool->used += bytes);
  return address;
}

cudaError_t free_device(void* address) {
  const auto found = memory().allocations.find(key_of(address));
  if (found == memory().allocations.end() || found->second.type != cudaMemoryTypeDevice) return cudaErrorInvalidValue;
  const auto [bytes, type, registered, pool] = found->second;
  memory().allocations.erase(found);
  memory().in_use -= bytes;
  if (pool != nullptr) pool->used -= bytes;
  unpoison(address, bytes);
  if (observer != nullptr) {
    observer->free_device(address, bytes);
  } else {
    std::free(address);
  }
  return cudaSuccess;
}

// What has been freed in stream order may still wait for its turn; so does a pool before it gives up.
void* allocate_device(Lock& lock, size_t bytes, CUmemPoolHandle_st* pool) {
  void* address = allocate_device(bytes, pool);
  if (address != nullptr) return address;
  drain_all(lock);
  return allocate_device(bytes, pool);
}

cudaError_t allocate_in_order(Lock& lock, void** address, size_t bytes, CUmemPoolHandle_st* pool, cudaStream_t handle) {
  const CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture != nullptr) return cudaErrorNotSupported;  // allocations inside graphs are not emulated
  *address = nullptr;
  if (bytes == 0) return cudaErrorInvalidValue;
  if (fails_now("malloc")) return cudaErrorMemoryAllocation;
  *address = allocate_device(lock, bytes, pool);
  return *address != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

}  // namespace

std::optional<Placed> find_allocation(const void* address) {
  const auto above = memory().allocations.upper_bound(key_of(address));
  if (above == memory().allocations.begin()) return std::nullopt;
  const auto& [key, allocation] = *std::prev(above);
  if (key_of(address) >= key + allocation.bytes) return std::nullopt;
  return Placed{address_of(key), allocation};
}

bool in_device_memory(const void* address, size_t bytes) {
  const auto found = find_allocation(address);
  if (!found || found->allocation.type != cudaMemoryTypeDevice) return false;
  const auto offset = static_cast<size_t>(static_cast<const char*>(address) - static_cast<const char*>(found->begin));
  return bytes <= found->allocation.bytes - offset;
}

void device_wrote(const void* address, size_t bytes) {
  if (observer != nullptr && bytes != 0 && in_device_memory(address, bytes)) observer->device_written(address, bytes);
}

size_t device_bytes_in_use() { return memory().in_use; }

DeviceAccess::DeviceAccess() {
  if (memory().accesses++ != 0) return;
  for (const auto& [key, allocation] : memory().allocations) {
    if (allocation.type == cudaMemoryTypeDevice) unpoison(address_of(key), allocation.bytes);
  }
}

DeviceAccess::~DeviceAccess() {
  if (--memory().accesses != 0) return;
  for (const auto& [key, allocation] : memory().allocations) {
    if (allocation.type == cudaMemoryTypeDevice) poison(address_of(key), allocation.bytes);
  }
}

}  // namespace silverlode::emulation

using namespace silverlode::emulation;

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (fails_now("malloc")) return leave(cudaErrorMemoryAllocation);
  *pointer = allocate_device(lock, bytes, nullptr);
  return leave(*pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* pointer) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess && device_fault() == cudaSuccess) return leave(error);
  if (pointer == nullptr) return leave(device_fault());
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  drain_all(lock);  // cudaFree waits for the device
  const cudaError_t error = free_device(pointer);
  return leave(device_fault() != cudaSuccess ? device_fault() : error);
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  return cudaMallocFromPoolAsync(pointer, bytes, &memory().default_pool, stream);
}

cudaError_t cudaMallocFromPoolAsync(void** pointer, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  return leave(allocate_in_order(lock, pointer, bytes, pool, stream));
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (pointer == nullptr) return cudaSuccess;
  const auto found = find_allocation(pointer);
  if (!found || found->begin != pointer || found->allocation.type != cudaMemoryTypeDevice) {
    return leave(cudaErrorInvalidValue);
  }
  return leave(enqueue(lock, stream, {cudaGraphNodeTypeMemFree, [pointer] { return free_device(pointer); }}));
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (device != 0) return leave(cudaErrorInvalidDevice);
  *pool = &memory().default_pool;
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (properties->location.id != 0) return leave(cudaErrorInvalidValue);
  if (fails_now("create")) return leave(cudaErrorMemoryAllocation);
  *pool = new CUmemPoolHandle_st;
  return cudaSuccess;
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  Lock lock(device_mutex());
  drain_all(lock);
  if (pool == nullptr || pool == &memory().default_pool || pool->used != 0) return leave(cudaErrorInvalidValue);
  delete pool;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (attribute == cudaMemPoolAttrReleaseThreshold) pool->release_threshold = *static_cast<uint64_t*>(value);
  if (attribute == cudaMemPoolAttrUsedMemHigh) pool->used_high = pool->used;
  return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold: *static_cast<uint64_t*>(value) = pool->release_threshold; break;
    case cudaMemPoolAttrReservedMemCurrent:
    case cudaMemPoolAttrUsedMemCurrent: *static_cast<uint64_t*>(value) = pool->used; break;
    case cudaMemPoolAttrReservedMemHigh:
    case cudaMemPoolAttrUsedMemHigh: *static_cast<uint64_t*>(value) = pool->used_high; break;
    default: *static_cast<int*>(value) = 1; break;
  }
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) {
  Lock lock(device_mutex());
  return leave(enter());  // freed memory goes back at once
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (fails_now("host") || posix_memalign(pointer, kPinnedAlign, bytes) != 0) return leave(cudaErrorMemoryAllocation);
  std::memset(*pointer, kPinnedGarbage, bytes);
  memory().allocations[key_of(*pointer)] = {bytes, cudaMemoryTypeHost, false, nullptr};
  if (observer != nullptr) observer->pinned(*pointer, bytes);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault); }

// Unpins; the memory of cudaHostAlloc is freed too.
static cudaError_t forget_pinned(void* pointer, bool registered, cudaError_t otherwise) {
  Lock lock(device_mutex());
  if (pointer == nullptr && !registered) return leave(device_fault());
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  drain_all(lock);
  const auto found = memory().allocations.find(key_of(pointer));
  if (found == memory().allocations.end() || found->second.type != cudaMemoryTypeHost ||
      found->second.registered != registered) {
    return leave(otherwise);
  }
  memory().allocations.erase(found);
  if (observer != nullptr) observer->unpinned(pointer);
  if (!registered) std::free(pointer);
  return leave(device_fault());
}

cudaError_t cudaFreeHost(void* pointer) { return forget_pinned(pointer, false, cudaErrorInvalidValue); }

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (pointer == nullptr || bytes == 0) return leave(cudaErrorInvalidValue);
  if (find_allocation(pointer) || find_allocation(static_cast<char*>(pointer) + bytes - 1)) {
    return leave(cudaErrorHostMemoryAlreadyRegistered);
  }
  if (fails_now("host")) return leave(cudaErrorMemoryAllocation);
  memory().allocations[key_of(pointer)] = {bytes, cudaMemoryTypeHost, true, nullptr};
  if (observer != nullptr) observer->pinned(pointer, bytes);
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* pointer) { return forget_pinned(pointer, true, cudaErrorHostMemoryNotRegistered); }

cudaError_t cudaHostGetDevicePointer(void** device_pointer, void* host_pointer, unsigned) {
  Lock lock(device_mutex());
  const auto found = find_allocation(host_pointer);
  if (!found || found->allocation.type != cudaMemoryTypeHost) return leave(cudaErrorInvalidValue);
  *device_pointer = host_pointer;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  *total_bytes = settings().memory_bytes;
  *free_bytes = *total_bytes - memory().in_use;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, nullptr};
  const auto found = find_allocation(pointer);
  if (!found) return cudaSuccess;
  attributes->type = found->allocation.type;
  attributes->device = 0;
  attributes->devicePointer = const_cast<void*>(pointer);
  if (attributes->type == cudaMemoryTypeHost) attributes->hostPointer = const_cast<void*>(pointer);
  return cudaSuccess;
}
}
