// Small fixed-capacity shapes. While a module is traced a dimension may be symbolic: a negative number names a symbol
// (-1 is the first symbol of the program, usually `batch`), and equal symbols compare equal. Plans and runs see only
// dimensions >= 0.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace silverlode {

struct Shape {
  static constexpr int32_t kMaxRank = 6;

  int32_t rank = 0;
  int64_t dims[kMaxRank] = {0, 0, 0, 0, 0, 0};

  Shape() = default;
  Shape(std::initializer_list<int64_t> values) {
    for (int64_t value : values) push(value);
  }

  void push(int64_t dim) {
    if (rank < kMaxRank) dims[rank++] = dim;
  }
  // From the end when negative: dim(-1) is the innermost dimension.
  int64_t dim(int32_t axis) const { return dims[axis < 0 ? axis + rank : axis]; }
  int64_t& dim(int32_t axis) { return dims[axis < 0 ? axis + rank : axis]; }

  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int32_t axis = 0; axis < rank; ++axis) {
      if (dims[axis] != other.dims[axis]) return false;
    }
    return true;
  }
  bool is_symbolic() const {
    for (int32_t axis = 0; axis < rank; ++axis) {
      if (dims[axis] < 0) return true;
    }
    return false;
  }
  // Product of all dimensions; -1 when it does not fit in int64 or a dimension is symbolic.
  int64_t elements() const {
    int64_t product = 1;
    for (int32_t axis = 0; axis < rank; ++axis) {
      if (dims[axis] < 0 || __builtin_mul_overflow(product, dims[axis], &product)) return -1;
    }
    return product;
  }
  // Product of the dimensions before `axis` (rows of a matrix view); same rules as elements().
  int64_t outer(int32_t axis) const {
    Shape head = *this;
    head.rank = axis < 0 ? axis + rank : axis;
    return head.elements();
  }
};

}  // namespace silverlode
