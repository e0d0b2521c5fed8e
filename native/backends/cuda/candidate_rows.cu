#include "backends/cuda/candidate_rows.h"

#include "backends/cuda/device/thread_split.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

constexpr int64_t kMostStepRows = 1 << 16;
constexpr int64_t kLeastCache = 4 << 20;
constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;
constexpr unsigned kWarps = 8;

__device__ __forceinline__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__device__ bool in_range(int64_t index, int64_t limit) { return index >= 0 && index < limit; }

__global__ void sl_rank_check(RunError* error, const char* op, Candidates all) {
  for (int64_t i = first_item(); i < all.batch * all.candidates; i += item_stride()) {
    const int64_t row = all.embedding_index[i];
    if (row == -1) continue;
    if (!in_range(row, all.embedding_rows)) {
      raise(error, op, Fault::kIndex, row, all.embedding_rows);
    } else if (all.feature_index != nullptr && !in_range(all.feature_index[i], all.feature_rows)) {
      raise(error, op, Fault::kIndex, all.feature_index[i], all.feature_rows);
    }
  }
}

template <class E>
__device__ __forceinline__ float embedding_value(E element, float scale) {
  if constexpr (std::is_same_v<E, int8_t>) {
    return static_cast<float>(element) * scale;
  } else {
    return to_float(element);
  }
}

// One warp per candidate. `by_four`: rows of both sides start at multiples of four elements.
template <class E, class T, bool kSplit>
__global__ void sl_rank_gather(const RunError* error, Candidates all, Span span, T* x, int64_t pitch, int64_t width,
                               bool by_four) {
  if (stopped(error)) return;
  const int lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < span.rows(); row += warps) {
    const int64_t candidate = span.candidate(row, all.candidates);
    const int64_t index = all.embedding_index[candidate];
    const SplitRow<T, kSplit> to = {x + row * pitch, width};
    if (index < 0) {
      for (int64_t d = lane; d < width; d += 32) to.put(d, 0);
      continue;
    }
    const E* from = static_cast<const E*>(all.embeddings) + index * all.embedding_stride;
    const float scale = all.embedding_scales == nullptr ? 1.0f : all.embedding_scales[index];
    int64_t done = 0;
    if (by_four) {
      done = all.dim / 4 * 4;
      for (int64_t d = lane * 4; d < done; d += 128) {
        const Four<E> four = *reinterpret_cast<const Four<E>*>(from + d);
        float values[4];
        for (int i = 0; i < 4; ++i) values[i] = embedding_value(four.values[i], scale);
        to.put_four(d, values);
      }
    }
    for (int64_t d = done + lane; d < all.dim; d += 32) to.put(d, embedding_value(from[d], scale));
    const float* features = all.features;
    if (all.n_features > 0) features += all.feature_index[candidate] * all.n_features;
    for (int64_t d = all.dim + lane; d < width; d += 32) {
      to.put(d, d - all.dim < all.n_features ? features[d - all.dim] : 0.0f);
    }
  }
}

__global__ void sl_rank_clear_missing(const RunError* error, Candidates all, Span span, int64_t tasks, float* logits) {
  if (stopped(error)) return;
  for (int64_t row = first_item(); row < span.rows(); row += item_stride()) {
    const int64_t candidate = span.candidate(row, all.candidates);
    if (all.embedding_index[candidate] >= 0) continue;
    for (int64_t task = 0; task < tasks; ++task) logits[candidate * tasks + task] = 0;
  }
}

// Calls use(type of embeddings).
template <class Use>
Status with_embedding_type(DType dtype, Use use) {
  switch (dtype) {
    case DType::kI8: return use(int8_t{});
    case DType::kF16: return use(Float16{});
    default: return use(float{});
  }
}

}  // namespace

int64_t step_rows(const Runtime& device, int64_t row_bytes) {
  // Half the cache: the other half is for weights and what is gathered.
  const int64_t cache = std::max(static_cast<int64_t>(device.limits.l2_bytes), kLeastCache) / 2;
  return std::clamp(cache / row_bytes / kStepTile * kStepTile, kStepTile, kMostStepRows);
}

Status check_candidate_indices(const Runtime& device, const char* op, const Candidates& candidates) {
  const unsigned grid = grid_for(device, candidates.batch * candidates.candidates, kThreads * kPerThread);
  return launch(device, sl_rank_check, grid, kThreads, 0, device.error, op, candidates);
}

Status gather_candidates(const Runtime& device, const Candidates& candidates, const Span& span,
                         const CandidateRows& rows) {
  const uintptr_t four_bytes = 4 * dtype_size(candidates.embedding_dtype);
  const bool by_four = candidates.embedding_stride % 4 == 0 && rows.pitch % 4 == 0 &&
                       (!rows.split || rows.width % 4 == 0) &&
                       reinterpret_cast<uintptr_t>(candidates.embeddings) % four_bytes == 0;
  return with_embedding_type(candidates.embedding_dtype, [&](auto embedding_type) {
    return with_float_type(rows.dtype, [&](auto type) {
      using E = decltype(embedding_type);
      using T = decltype(type);
      auto* kernel = sl_rank_gather<E, T, false>;
      if constexpr (sizeof(T) < sizeof(float)) {
        if (rows.split) kernel = sl_rank_gather<E, T, true>;
      }
      return launch(device, kernel, grid_for(device, span.rows(), kWarps), kWarps * 32, 0, device.error, candidates,
                    span, static_cast<T*>(rows.data), rows.pitch, rows.width, by_four);
    });
  });
}

Status clear_missing(const Runtime& device, const Candidates& candidates, const Span& span, int64_t tasks,
                     float* logits) {
  return launch(device, sl_rank_clear_missing, grid_for(device, span.rows(), kThreads), kThreads, 0, device.error,
                candidates, span, tasks, logits);
}

}  // namespace silverlode::cuda
