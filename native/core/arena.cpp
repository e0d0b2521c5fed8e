#include "core/arena.h"

#include <algorithm>
#include <numeric>

#include "core/aligned.h"

namespace silverlode {

int32_t ArenaPlan::add(size_t bytes, int32_t first, int32_t last) {
  blocks_.push_back({align_up(bytes), first, last, 0});
  return static_cast<int32_t>(blocks_.size()) - 1;
}

void ArenaPlan::layout() {
  std::vector<size_t> order(blocks_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return blocks_[a].bytes > blocks_[b].bytes; });
  std::vector<size_t> placed;  // kept sorted by offset
  bytes_ = 0;
  for (size_t index : order) {
    Block& block = blocks_[index];
    size_t offset = 0;
    for (size_t other_index : placed) {
      const Block& other = blocks_[other_index];
      const bool together = other.first <= block.last && block.first <= other.last;
      if (!together) continue;
      if (offset + block.bytes <= other.offset) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    block.offset = offset;
    bytes_ = std::max(bytes_, offset + block.bytes);
    const auto place = std::upper_bound(placed.begin(), placed.end(), offset,
                                        [&](size_t value, size_t other) { return value < blocks_[other].offset; });
    placed.insert(place, index);
  }
}

}  // namespace silverlode
