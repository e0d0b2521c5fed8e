// Memory aligned for every kernel (64 bytes), owned, freed with its owner.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace silverlode {

constexpr size_t kAlignment = 64;

struct FreeMemory {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t{kAlignment}); }
};

using AlignedMemory = std::unique_ptr<void, FreeMemory>;

constexpr size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Null when memory is short. Never returns null for 0 bytes.
inline AlignedMemory allocate_aligned(size_t bytes) {
  const size_t rounded = bytes == 0 ? kAlignment : align_up(bytes);
  if (rounded < bytes) return nullptr;
  return AlignedMemory(::operator new(rounded, std::align_val_t{kAlignment}, std::nothrow));
}

// The same, filled with zeros; large memory costs nothing until it is touched, since the system hands it out as zeros. Null
// when memory is short.
inline std::shared_ptr<void> allocate_zeroed(size_t bytes) {
  const size_t rounded = align_up(bytes) + kAlignment;
  if (rounded < bytes) return nullptr;
  void* memory = std::calloc(rounded, 1);
  if (memory == nullptr) return nullptr;
  void* aligned = memory;
  size_t space = rounded;
  std::align(kAlignment, rounded - kAlignment, aligned, space);
  return std::shared_ptr<void>(aligned, [memory](void*) { std::free(memory); });
}

}  // namespace silverlode
