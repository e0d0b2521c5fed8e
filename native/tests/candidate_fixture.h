// Random candidates for the tests of rerankers, and what they hold.
#pragma once

#include <memory>

#include "ops/candidates.h"
#include "tests/dense_harness.h"

namespace silverlode::tests {

struct CandidateCase {
  int64_t batch = 3, dim = 16, candidates = 70, items = 40, n_features = 5;
  DType embeddings = DType::kI8;
  int missing_of_ten = 2;
};

// The five inputs of one call, kept alive.
struct RandomCandidates {
  RandomCandidates(const CandidateCase& given, uint32_t seed) : sizes(given) {
    std::mt19937 random(seed + 1);
    const int64_t stride = sizes.embeddings == DType::kI8 ? (sizes.dim + 31) / 32 * 32 : sizes.dim;
    for (int64_t i = 0; i < sizes.items * stride; ++i) {
      quantized.push_back(i % stride < sizes.dim ? static_cast<int8_t>(static_cast<int>(random() % 255) - 127) : 0);
    }
    for (int64_t i = 0; i < sizes.items; ++i) scales.push_back(0.01f + static_cast<float>(random() % 100) * 1e-4f);
    stored = std::make_unique<FloatTensor>(
        random_tensor({sizes.items, sizes.dim}, seed + 2, sizes.embeddings == DType::kF16 ? DType::kF16 : DType::kF32));
    features = random_rows(sizes.items, sizes.n_features, seed + 3);
    for (int64_t i = 0; i < sizes.batch * sizes.candidates; ++i) {
      const bool missing = static_cast<int>(random() % 10) < sizes.missing_of_ten;
      index.push_back(missing ? -1 : static_cast<int32_t>(random() % static_cast<uint32_t>(sizes.items)));
      feature_index.push_back(missing ? -5 : static_cast<int32_t>(random() % static_cast<uint32_t>(sizes.items)));
    }
    embeddings = sizes.embeddings == DType::kI8 ? TensorView{quantized.data(), DType::kI8, {sizes.items, stride}}
                                                : stored->view();
  }

  void append_to(std::vector<TensorView>& views) const {
    views.push_back(embeddings);
    views.push_back(sizes.embeddings == DType::kI8 ? view_of(scales, {sizes.items}) : TensorView{});
    views.push_back(view_of(index, {sizes.batch, sizes.candidates}));
    const bool with_features = sizes.n_features > 0;
    views.push_back(with_features ? view_of(features, {sizes.items, sizes.n_features}) : TensorView{});
    views.push_back(with_features ? view_of(feature_index, {sizes.batch, sizes.candidates}) : TensorView{});
  }

  bool missing(int64_t candidate) const { return index[static_cast<size_t>(candidate)] < 0; }
  // Element d of the embedding of a candidate, counted over the whole batch.
  float item(int64_t candidate, int64_t d) const {
    const int64_t row = index[static_cast<size_t>(candidate)];
    if (sizes.embeddings != DType::kI8) return stored->values[static_cast<size_t>(row * sizes.dim + d)];
    return static_cast<float>(quantized[static_cast<size_t>(row * embeddings.shape.dim(1) + d)]) *
           scales[static_cast<size_t>(row)];
  }
  float feature(int64_t candidate, int64_t f) const {
    return features[static_cast<size_t>(feature_index[static_cast<size_t>(candidate)] * sizes.n_features + f)];
  }
  // [i, f]
  std::vector<float> item_input(int64_t candidate) const {
    std::vector<float> x;
    for (int64_t d = 0; d < sizes.dim; ++d) x.push_back(item(candidate, d));
    for (int64_t f = 0; f < sizes.n_features; ++f) x.push_back(feature(candidate, f));
    return x;
  }

  CandidateCase sizes;
  std::vector<int8_t> quantized;
  std::vector<float> scales, features;
  std::unique_ptr<FloatTensor> stored;
  std::vector<int32_t> index, feature_index;
  TensorView embeddings;
};

}  // namespace silverlode::tests
