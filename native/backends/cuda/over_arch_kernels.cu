#include "backends/cuda/over_arch_kernels.h"

#include "backends/cuda/device/thread_load.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

using Args = OverArch::Args;

constexpr unsigned kThreads = 256;
constexpr int kTile = 32;     // outputs and k of a tile of fold_bias
constexpr int kRequests = 8;  // that share the tile

__device__ __forceinline__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

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

}  // namespace silverlode::cuda
