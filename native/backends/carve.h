// Arrays cut one after another from a workspace, each 64-byte aligned. One constructor that takes every array serves both
// to measure (without memory) and to place, so the two cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>

namespace silverlode {

class Carve {
 public:
  explicit Carve(void* base = nullptr) : base_(static_cast<std::byte*>(base)) {}

  template <class T>
  T* take(int64_t count) {
    const size_t offset = bytes_;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + offset);
  }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* base_;
  size_t bytes_ = 0;
};

}  // namespace silverlode
