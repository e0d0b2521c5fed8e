// Shared memory of a block: one arena, every variable between red zones that AddressSanitizer and the checker know, filled
// with garbage when it first appears.
#include <cstdlib>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "emulation/src/device.h"
#include "emulation/src/observer.h"
#include "emulation/src/scheduler.h"

namespace silverlode::emulation {

namespace {

constexpr size_t kArenaBytes = 512 << 10;
constexpr size_t kRedZoneBytes = 64;
constexpr unsigned char kGarbage = 0xA5;

unsigned char* new_arena() {
  void* memory = observer != nullptr ? observer->allocate_device(kArenaBytes) : std::aligned_alloc(4096, kArenaBytes);
  if (memory == nullptr) std::abort();
  return static_cast<unsigned char*>(memory);
}

unsigned char* carve(Block& block, size_t bytes, size_t align, const char* name) {
  const size_t begin = (block.arena_used + kRedZoneBytes + align - 1) / align * align;
  block.arena_used = begin + bytes;
  if (block.arena_used + kRedZoneBytes > kArenaBytes) fault(Fault::kLaunch, "too many shared variables: %s", name);
  unsigned char* memory = block.arena + begin;
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, bytes);
#endif
  std::memset(memory, kGarbage, bytes);
  if (observer != nullptr) observer->shared_variable(memory, bytes, name);
  return memory;
}

}  // namespace

void Scheduler::prepare_shared_memory(Block& block) {
  if (block.arena == nullptr) block.arena = new_arena();
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(block.arena, kArenaBytes);
#endif
  if (observer != nullptr) observer->shared_arena_cleared(block.arena, kArenaBytes);
  const size_t bytes = grid_->dynamic_shared_bytes;
  if (bytes != 0) block.dynamic_shared = carve(block, bytes, 1024, "dynamic shared memory");
}

void* Scheduler::shared_memory(const void* key, size_t bytes, size_t align, const char* name) {
  Block& block = *current->block;
  for (const SharedArray& array : block.shared_arrays) {
    if (array.key == key) return array.data;
  }
  block.shared_bytes += bytes;
  if (block.shared_bytes > kStaticSharedBytes) {
    fault(Fault::kLaunch, "the kernel has more than %zu bytes of shared variables", kStaticSharedBytes);
  }
  if (block.shared_bytes + grid_->dynamic_shared_bytes > grid_->shared_limit) {
    fault(Fault::kLaunch, "%zu bytes of shared variables and %zu of dynamic shared memory: more than a block may have",
          block.shared_bytes, grid_->dynamic_shared_bytes);
  }
  unsigned char* data = carve(block, bytes, align < 16 ? 16 : align, name);
  block.shared_arrays.push_back({key, data, bytes});
  return data;
}

void* Scheduler::dynamic_shared_memory() {
  if (current->block->dynamic_shared == nullptr) {
    fault(Fault::kLaunch, "dynamic shared memory in a kernel that was launched with none");
  }
  return current->block->dynamic_shared;
}

void* shared_memory(const void* key, size_t bytes, size_t align, const char* name) {
  return scheduler().shared_memory(key, bytes, align, name);
}

void* dynamic_shared_memory() { return scheduler().dynamic_shared_memory(); }

}  // namespace silverlode::emulation
