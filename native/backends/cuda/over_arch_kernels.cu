#include "backends/cuda/over_arch_kernels.h"

#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

using Args = OverArch::Args;

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;
constexpr int kTile = 32;     // outputs and k of a tile of fold_bias
constexpr int kRequests = 8;  // that share the tile
constexpr unsigned kWarps = 8;

__device__ __forceinline__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__device__ bool in_range(int64_t index, int64_t limit) { return index >= 0 && index < limit; }

__global__ void sl_rank_check(RunError* error, const char* op, Args args) {
  for (int64_t i = first_item(); i < args.batch * args.candidates; i += item_stride()) {
    const int64_t row = args.embedding_index[i];
    if (row == -1) continue;
    if (!in_range(row, args.embedding_rows)) {
      raise(error, op, Fault::kIndex, row, args.embedding_rows);
    } else if (args.feature_index != nullptr && !in_range(args.feature_index[i], args.feature_rows)) {
      raise(error, op, Fault::kIndex, args.feature_index[i], args.feature_rows);
    }
  }
}

// W' = Wi + sum_h Wx_h · diag(u_h), an fma chain over ascending h, then the columns of the features; one element per thread.
template <class W, class T>
__global__ void sl_rank_fold(const RunError* error, Args args, Span span, T* folded, int64_t pitch) {
  if (stopped(error)) return;
  const OverArch::Layer layer = args.layers[0];
  const W* weights = static_cast<const W*>(layer.weight);
  const int64_t user_dim = args.heads * args.dim;
  for (int64_t i = first_item(); i < span.requests * layer.out_dim * pitch; i += item_stride()) {
    const int64_t d = i % pitch, row = i / pitch;
    const W* on_item = weights + row % layer.out_dim * layer.in_dim + user_dim;
    float sum = 0;
    if (d < args.dim) {
      const float* user = args.user + (span.first + row / layer.out_dim) * user_dim + d;
      const W* on_product = on_item + args.dim + d;
      sum = to_float(on_item[d]);
      for (int64_t h = 0; h < args.heads; ++h) sum = fmaf(user[h * args.dim], to_float(on_product[h * args.dim]), sum);
    } else if (d < args.dim + args.n_features) {
      sum = to_float(on_item[d + user_dim]);
    }
    folded[i] = from_float<T>(sum);
  }
}

// b' = b + Wu · u: an fma chain over ascending k from 0, then + b. A block takes 32 outputs of 8 requests, which share Wu.
template <class W, class T>
__global__ void __launch_bounds__(kTile* kRequests)
    sl_rank_fold_bias(const RunError* error, Args args, Span span, T* folded) {
  if (stopped(error)) return;
  auto& tile = shared<float[kTile][kTile + 1], struct Tile>();
  const OverArch::Layer layer = args.layers[0];
  const W* weights = static_cast<const W*>(layer.weight);
  const int64_t user_dim = args.heads * args.dim;
  const int64_t out_tiles = (layer.out_dim + kTile - 1) / kTile;
  const int64_t request_tiles = (span.requests + kRequests - 1) / kRequests;
  const int lane = threadIdx.x % kTile, warp = threadIdx.x / kTile;
  for (int64_t block = blockIdx.x; block < out_tiles * request_tiles; block += gridDim.x) {
    const int64_t first_out = block % out_tiles * kTile, out = first_out + lane;
    const int64_t request = block / out_tiles * kRequests + warp;
    const bool mine = out < layer.out_dim && request < span.requests;
    const float* user = args.user + (span.first + request) * user_dim;
    float sum = 0;
    for (int64_t k = 0; k < user_dim; k += kTile) {
      const int width = static_cast<int>(user_dim - k < kTile ? user_dim - k : kTile);
      __syncthreads();
      for (int i = warp; i < kTile; i += kRequests) {
        if (first_out + i < layer.out_dim && lane < width) {
          tile[i][lane] = to_float(weights[(first_out + i) * layer.in_dim + k + lane]);
        }
      }
      __syncthreads();
      if (mine) {
        for (int i = 0; i < width; ++i) sum = fmaf(user[k + i], tile[lane][i], sum);
      }
    }
    if (!mine) continue;
    if (layer.bias != nullptr) sum += layer.bias[out];
    folded[request * layer.out_dim + out] = from_float<T>(sum);
  }
}

// Four elements that are read at once.
template <class T>
struct alignas(4 * sizeof(T)) Four {
  T values[4];
};

// One warp per candidate. `by_four`: rows of both sides start at multiples of four elements.
template <class E, class T>
__global__ void sl_rank_gather(const RunError* error, Args args, Span span, T* x, int64_t pitch, bool by_four) {
  if (stopped(error)) return;
  const int lane = threadIdx.x % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < span.rows(); row += warps) {
    const int64_t candidate =
        (span.first + row / span.candidates) * args.candidates + span.begin + row % span.candidates;
    const int64_t index = args.embedding_index[candidate];
    T* to = x + row * pitch;
    if (index < 0) {
      for (int64_t d = lane; d < pitch; d += 32) to[d] = from_float<T>(0);
      continue;
    }
    const E* from = static_cast<const E*>(args.embeddings) + index * args.embedding_stride;
    const float scale = args.embedding_scales == nullptr ? 1.0f : args.embedding_scales[index];
    const auto value = [scale](E element) {
      if constexpr (std::is_same_v<E, int8_t>) {
        return static_cast<float>(element) * scale;
      } else {
        return to_float(element);
      }
    };
    int64_t done = 0;
    if (by_four) {
      done = args.dim / 4 * 4;
      for (int64_t d = lane * 4; d < done; d += 128) {
        const Four<E> four = *reinterpret_cast<const Four<E>*>(from + d);
        Four<T> result;
        for (int i = 0; i < 4; ++i) result.values[i] = from_float<T>(value(four.values[i]));
        *reinterpret_cast<Four<T>*>(to + d) = result;
      }
    }
    for (int64_t d = done + lane; d < args.dim; d += 32) to[d] = from_float<T>(value(from[d]));
    const float* features = args.features;
    if (args.n_features > 0) features += args.feature_index[candidate] * args.n_features;
    for (int64_t d = args.dim + lane; d < pitch; d += 32) {
      to[d] = from_float<T>(d - args.dim < args.n_features ? features[d - args.dim] : 0.0f);
    }
  }
}

__global__ void sl_rank_clear_missing(const RunError* error, Args args, Span span) {
  if (stopped(error)) return;
  const int64_t tasks = args.layers[args.n_layers - 1].out_dim;
  for (int64_t row = first_item(); row < span.rows(); row += item_stride()) {
    const int64_t candidate =
        (span.first + row / span.candidates) * args.candidates + span.begin + row % span.candidates;
    if (args.embedding_index[candidate] >= 0) continue;
    for (int64_t task = 0; task < tasks; ++task) args.logits[candidate * tasks + task] = 0;
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

template <class W, class T>
Status fold_kernel(const Runtime& device, unsigned grid, const Args& args, const Span& span, void* weights,
                   int64_t pitch) {
  return launch(device, sl_rank_fold<W, T>, grid, kThreads, 0, device.error, args, span, static_cast<T*>(weights),
                pitch);
}

template <class W, class T>
Status fold_bias_kernel(const Runtime& device, unsigned grid, const Args& args, const Span& span, void* bias) {
  return launch(device, sl_rank_fold_bias<W, T>, grid, kTile * kRequests, 0, device.error, args, span,
                static_cast<T*>(bias));
}

}  // namespace

Status check_indices(const Runtime& device, const Args& args) {
  const unsigned grid = grid_for(device, args.batch * args.candidates, kThreads * kPerThread);
  return launch(device, sl_rank_check, grid, kThreads, 0, device.error, OverArch::kName, args);
}

Status fold(const Runtime& device, const Args& args, const Span& span, DType dtype, void* weights, void* bias,
            DType bias_dtype) {
  const int64_t pitch = folded_pitch(args, dtype);
  const int64_t out_dim = args.layers[0].out_dim;
  const unsigned grid = grid_for(device, span.requests * out_dim * pitch, kThreads);
  const int64_t bias_blocks = (out_dim + kTile - 1) / kTile * ((span.requests + kRequests - 1) / kRequests);
  return with_float_type(args.layers[0].dtype, [&](auto weight_type) {
    using W = decltype(weight_type);
    const auto weights_kernel = dtype == DType::kF32 ? fold_kernel<W, float> : fold_kernel<W, W>;
    const Status status = weights_kernel(device, grid, args, span, weights, pitch);
    if (!status.ok()) return status;
    const auto bias_kernel = bias_dtype == DType::kF32 ? fold_bias_kernel<W, float> : fold_bias_kernel<W, W>;
    return bias_kernel(device, grid_for(device, bias_blocks, 1), args, span, bias);
  });
}

Status gather(const Runtime& device, const Args& args, const Span& span, DType dtype, void* x) {
  const int64_t pitch = folded_pitch(args, dtype);
  const uintptr_t row_bytes = 4 * dtype_size(args.embedding_dtype);
  const bool by_four =
      args.embedding_stride % 4 == 0 && pitch % 4 == 0 && reinterpret_cast<uintptr_t>(args.embeddings) % row_bytes == 0;
  return with_embedding_type(args.embedding_dtype, [&](auto embedding_type) {
    return with_float_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(device, sl_rank_gather<decltype(embedding_type), T>, grid_for(device, span.rows(), kWarps),
                    kWarps * 32, 0, device.error, args, span, static_cast<T*>(x), pitch, by_four);
    });
  });
}

Status clear_missing(const Runtime& device, const Args& args, const Span& span) {
  return launch(device, sl_rank_clear_missing, grid_for(device, span.rows(), kThreads), kThreads, 0, device.error, args,
                span);
}

}  // namespace silverlode::cuda
