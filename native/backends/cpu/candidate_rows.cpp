#include "backends/cpu/candidate_rows.h"

#include <cstring>

namespace silverlode::cpu {

namespace {

constexpr int64_t kPrefetchAhead = 16;

const char* embedding(const Candidates& from, int64_t candidate) {
  const int64_t row_bytes = from.embedding_stride * static_cast<int64_t>(dtype_size(from.embedding_dtype));
  return static_cast<const char*>(from.embeddings) + from.embedding_index[candidate] * row_bytes;
}

const float* features(const Candidates& from, int64_t candidate) {
  return from.features + from.feature_index[candidate] * from.n_features;
}

void prefetch(const Candidates& from, int64_t candidate) {
  const int64_t row_bytes = from.dim * static_cast<int64_t>(dtype_size(from.embedding_dtype));
  for (int64_t byte = 0; byte < row_bytes; byte += 64) __builtin_prefetch(embedding(from, candidate) + byte);
  for (int64_t f = 0; f < from.n_features; f += 16) __builtin_prefetch(features(from, candidate) + f);
}

void gather(const FloatKernels& kernels, const Candidates& from, int64_t candidate, float* to) {
  const char* row = embedding(from, candidate);
  switch (from.embedding_dtype) {
    case DType::kI8:
      kernels.dequantize(reinterpret_cast<const int8_t*>(row), from.embedding_scales[from.embedding_index[candidate]],
                         to, from.dim);
      break;
    case DType::kF16: kernels.widen_f16(reinterpret_cast<const uint16_t*>(row), to, from.dim); break;
    default: std::memcpy(to, row, static_cast<size_t>(from.dim) * sizeof(float));
  }
  if (from.n_features > 0) {
    std::memcpy(to + from.dim, features(from, candidate), static_cast<size_t>(from.n_features) * sizeof(float));
  }
}

Status outside(const char* op, const char* input, int64_t at, int64_t row, int64_t rows) {
  return make_error(Code::kInvalidArgument, "%s: %s[%lld] is %lld, outside %lld rows", op, input,
                    static_cast<long long>(at), static_cast<long long>(row), static_cast<long long>(rows));
}

}  // namespace

Status check_candidate_indices(const char* op, const Candidates& candidates) {
  const int64_t n = candidates.batch * candidates.candidates;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = candidates.embedding_index[i];
    if (row == -1) continue;
    if (row < 0 || row >= candidates.embedding_rows) {
      return outside(op, "embedding_index", i, row, candidates.embedding_rows);
    }
    if (candidates.feature_index == nullptr) continue;
    const int64_t feature = candidates.feature_index[i];
    if (feature < 0 || feature >= candidates.feature_rows) {
      return outside(op, "feature_index", i, feature, candidates.feature_rows);
    }
  }
  return ok_status();
}

int64_t gather_candidates(const FloatKernels& kernels, const Candidates& candidates, int64_t first, int64_t n,
                          int32_t* present, float* to, int64_t ld) {
  int64_t rows = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (candidates.embedding_index[first + i] >= 0) present[rows++] = static_cast<int32_t>(i);
  }
  for (int64_t row = 0; row < rows; ++row) {
    if (row + kPrefetchAhead < rows) prefetch(candidates, first + present[row + kPrefetchAhead]);
    gather(kernels, candidates, first + present[row], to + row * ld);
  }
  return rows;
}

}  // namespace silverlode::cpu
