// Plans one buffer for many blocks: blocks whose lifetimes do not overlap share bytes. Only sizes are handled here, so the
// same code answers "how much would this need" and lays the memory out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace silverlode {

class ArenaPlan {
 public:
  // A block of `bytes` that must hold its contents from step `first` to step `last`, both included. Returns its index.
  int32_t add(size_t bytes, int32_t first, int32_t last);

  // Assigns offsets (multiples of 64), large blocks first, each at the lowest place free for its lifetime.
  void layout();

  size_t offset(int32_t block) const { return blocks_[static_cast<size_t>(block)].offset; }
  size_t bytes() const { return bytes_; }  // high-water mark after layout()

 private:
  struct Block {
    size_t bytes;
    int32_t first, last;
    size_t offset;
  };

  std::vector<Block> blocks_;
  size_t bytes_ = 0;
};

}  // namespace silverlode
