// A filter index as the tensors an op takes.
#pragma once

#include <vector>

#include "ops/op.h"
#include "tests/filter_fixture.h"

namespace silverlode::filter_test {

template <class T>
TensorView view_of(const std::vector<T>& values, DType dtype, const Shape& shape) {
  return {const_cast<T*>(values.data()), dtype, shape};
}

// The seven tensors of the index.
inline std::vector<TensorView> index_views(const Catalogue& c) {
  const int64_t words = c.words();
  return {view_of(c.slices, DType::kI64, {c.n_slices, words}),
          view_of(c.bloom, DType::kI64, {static_cast<int64_t>(c.bloom.size()) / 8, 8}),
          view_of(c.bloom_offsets, DType::kI64, {static_cast<int64_t>(c.bloom_offsets.size())}),
          view_of(c.columns32, DType::kI32, {c.n_columns32, c.rows}),
          view_of(c.columns64, DType::kI64, {c.n_columns64, c.rows}),
          view_of(c.term_offsets, DType::kI32, {static_cast<int64_t>(c.term_offsets.size())}),
          view_of(c.terms, DType::kI32, {static_cast<int64_t>(c.terms.size())})};
}

}  // namespace silverlode::filter_test
