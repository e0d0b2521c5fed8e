// Copies and fills.
#include <cstring>
#include <memory>
#include <vector>

#include "emulation/runtime_api.h"
#include "emulation/settings.h"
#include "emulation/src/memory.h"
#include "emulation/src/streams.h"

namespace silverlode::emulation {

namespace {

struct Copy {
  char* target;
  size_t target_pitch;
  const char* source;
  size_t source_pitch;
  size_t width;
  size_t height;

  size_t target_bytes() const { return target_pitch * (height - 1) + width; }
  size_t source_bytes() const { return source_pitch * (height - 1) + width; }
};

bool on_device(const void* address) {
  const auto found = find_allocation(address);
  return found && found->allocation.type == cudaMemoryTypeDevice;
}

bool pageable(const void* address) { return !find_allocation(address); }

// The ends must lie where the kind says, and device memory must hold all of it.
bool valid_copy(const Copy& copy, cudaMemcpyKind kind) {
  const bool to_device = on_device(copy.target);
  const bool from_device = on_device(copy.source);
  if (kind != cudaMemcpyDefault) {
    const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (to_device != wants_to || from_device != wants_from) return false;
  }
  if (copy.width > copy.target_pitch || copy.width > copy.source_pitch) return false;
  return (!to_device || in_device_memory(copy.target, copy.target_bytes())) &&
         (!from_device || in_device_memory(copy.source, copy.source_bytes()));
}

void run_copy(const Copy& copy) {
  for (size_t row = 0; row < copy.height; ++row) {
    char* target = copy.target + row * copy.target_pitch;
    std::memmove(target, copy.source + row * copy.source_pitch, copy.width);
    device_wrote(target, copy.width);
  }
}

cudaError_t enqueue_copy(Lock& lock, Copy copy, cudaMemcpyKind kind, cudaStream_t handle) {
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  if (copy.width == 0 || copy.height == 0) return cudaSuccess;
  if (!valid_copy(copy, kind)) return cudaErrorInvalidValue;
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (fails_now("copy")) return cudaErrorUnknown;

  // Pageable memory: what is copied from it is read before the call returns, and what is copied to it has arrived by then.
  std::shared_ptr<std::vector<char>> staged;
  const bool capturing = stream->capture != nullptr;
  if (!capturing && on_device(copy.target) && pageable(copy.source)) {
    staged = std::make_shared<std::vector<char>>(copy.source, copy.source + copy.source_bytes());
    copy.source = staged->data();
  }
  const cudaError_t error = enqueue(lock, handle, {cudaGraphNodeTypeMemcpy, [copy, staged] {
                                                     run_copy(copy);
                                                     return cudaSuccess;
                                                   }});
  if (error != cudaSuccess || capturing || on_device(copy.target) || !pageable(copy.target)) return error;
  drain(lock, *stream);
  return device_fault();
}

cudaError_t enqueue_fill(Lock& lock, void* target, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (!in_device_memory(target, bytes)) return cudaErrorInvalidValue;
  if (fails_now("copy")) return cudaErrorUnknown;
  return enqueue(lock, stream, {cudaGraphNodeTypeMemset, [target, value, bytes] {
                                  std::memset(target, value, bytes);
                                  device_wrote(target, bytes);
                                  return cudaSuccess;
                                }});
}

}  // namespace

}  // namespace silverlode::emulation

using namespace silverlode::emulation;

extern "C" {

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  Lock lock(device_mutex());
  const Copy copy{static_cast<char*>(target), bytes, static_cast<const char*>(source), bytes, bytes, 1};
  return leave(enqueue_copy(lock, copy, kind, stream));
}

cudaError_t cudaMemcpy(void* target, const void* source, size_t bytes, cudaMemcpyKind kind) {
  Lock lock(device_mutex());
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  const Copy copy{static_cast<char*>(target), bytes, static_cast<const char*>(source), bytes, bytes, 1};
  const cudaError_t error = enqueue_copy(lock, copy, kind, nullptr);
  return leave(error != cudaSuccess ? error : device_fault());
}

cudaError_t cudaMemcpy2DAsync(void* target, size_t target_pitch, const void* source, size_t source_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  Lock lock(device_mutex());
  const Copy copy{
      static_cast<char*>(target), target_pitch, static_cast<const char*>(source), source_pitch, width, height};
  return leave(enqueue_copy(lock, copy, kind, stream));
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  Lock lock(device_mutex());
  return leave(enqueue_fill(lock, target, value, bytes, stream));
}

cudaError_t cudaMemset(void* target, int value, size_t bytes) {
  Lock lock(device_mutex());
  if (const cudaError_t error = refuse_during_capture(); error != cudaSuccess) return leave(error);
  return leave(enqueue_fill(lock, target, value, bytes, nullptr));
}
}
