#include "backends/cpu/cpu_device.h"

#include <cstring>

#include "core/aligned.h"

namespace silverlode::cpu {

void CpuDevice::parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) {
  pool_.parallel_for(n, [=](int64_t i, int32_t) { body(self, i); });
}

Status CpuDevice::allocate(size_t bytes, std::shared_ptr<void>& memory) {
  AlignedMemory owned = allocate_aligned(bytes);
  if (!owned) return make_error(Code::kOutOfMemory, "cannot allocate %zu bytes", bytes);
  memory = std::move(owned);
  return ok_status();
}

Status CpuDevice::copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return ok_status();
}

Status CpuDevice::begin_recording() { return make_error(Code::kInternal, "the CPU records nothing"); }
Status CpuDevice::end_recording(std::shared_ptr<void>&) { return begin_recording(); }
Status CpuDevice::replay(const std::shared_ptr<void>&) { return begin_recording(); }

Status CpuDevice::mark(size_t index) {
  if (marks_.size() <= index) marks_.resize(index + 1);
  marks_[index] = std::chrono::steady_clock::now();
  return ok_status();
}

Status CpuDevice::elapsed(size_t index, double& milliseconds) {
  milliseconds = std::chrono::duration<double, std::milli>(marks_[index + 1] - marks_[index]).count();
  return ok_status();
}

}  // namespace silverlode::cpu
