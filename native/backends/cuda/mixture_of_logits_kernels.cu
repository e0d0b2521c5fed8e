#include "backends/cuda/mixture_of_logits_kernels.h"

#include "backends/cuda/device/thread_math.cuh"
#include "backends/cuda/device/thread_split.cuh"
#include "backends/cuda/launch.h"

namespace silverlode::cuda {

namespace {

using Args = MixtureOfLogits::Args;

constexpr unsigned kThreads = 256;
constexpr int64_t kPerThread = 4;

// Whether an element of a row of T is a sum of two.
template <class T>
constexpr bool kSplit = sizeof(T) < sizeof(float);

// Weights [n, in_dim] at column `at` of rows of `pitch` elements: `width` columns, zeros beyond in_dim, and for halves the
// same again.
template <class W, class T>
__global__ void sl_mixture_pack(const RunError* error, const W* weights, int64_t n, int64_t in_dim, T* packed,
                                int64_t pitch, int64_t at, int64_t width) {
  if (stopped(error)) return;
  const int64_t columns = kSplit<T> ? 2 * width : width;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n * columns; i += stride) {
    const int64_t row = i / columns, d = i % columns % width;
    const float value = d < in_dim ? to_float(weights[row * in_dim + d]) : 0.0f;
    packed[row * pitch + at + i % columns] = from_float<T>(value);
  }
}

constexpr int kComponents = 32;  // item components of a block
constexpr int kLanes = 8;        // threads that share one
constexpr int kUsers = 4;        // user components of a thread
constexpr int kDepth = 32;       // elements of components in shared memory
constexpr int kPitch = kDepth + 4;

// The first `height` rows of a tile: columns [k, k + kDepth) of x [rows, dim], zeros beyond it.
__device__ __forceinline__ void stage(float (*tile)[kPitch], int height, const float* x, int rows, int dim, int k) {
  for (int i = threadIdx.x; i < height * kDepth; i += kThreads) {
    const int row = i / kDepth, column = i % kDepth;
    tile[row][column] = row < rows && k + column < dim ? x[static_cast<int64_t>(row) * dim + k + column] : 0.0f;
  }
}

// s behind each x of the span: dot products as fma chains, norms in 16 chains, two to a thread.
template <class T>
__global__ void __launch_bounds__(kThreads) sl_mixture_scores(const RunError* error, Args args, Span span,
                                                              const float* components, T* rows, MixtureSizes sizes) {
  if (stopped(error)) return;
  auto& items = shared<float[kComponents][kPitch], struct Items>();
  auto& users = shared<float[kUsers * kLanes][kPitch], struct Users>();
  const int own = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
  const int dim = static_cast<int>(args.component_dim), n_user = static_cast<int>(args.user_components);
  const int64_t n_item = args.item_components;
  const int64_t of_request = span.candidates * n_item;
  const int64_t tiles = (of_request + kComponents - 1) / kComponents;
  for (int64_t block = blockIdx.x; block < span.requests * tiles; block += gridDim.x) {
    const int64_t request = block / tiles, first = block % tiles * kComponents;
    const float* item = components + (request * of_request + first) * dim;
    const int n = static_cast<int>(of_request - first < kComponents ? of_request - first : kComponents);
    for (int first_user = 0; first_user < n_user; first_user += kUsers * kLanes) {
      const float* user = args.user + ((span.first + request) * n_user + first_user) * dim;
      const int n_here = n_user - first_user < kUsers * kLanes ? n_user - first_user : kUsers * kLanes;
      float dots[kUsers] = {}, squares[2] = {};
      for (int k = 0; k < dim; k += kDepth) {
        __syncthreads();
        stage(items, kComponents, item, n, dim, k);
        stage(users, (n_here + kLanes - 1) / kLanes * kLanes, user, n_here, dim, k);
        __syncthreads();
        for (int i = lane; i < kDepth; i += 2 * kLanes) {
          squares[0] = fmaf(items[own][i], items[own][i], squares[0]);
          squares[1] = fmaf(items[own][i + kLanes], items[own][i + kLanes], squares[1]);
        }
        for (int i = 0; i < kDepth && k + i < dim; i += 4) {
          const float4 x = *reinterpret_cast<const float4*>(&items[own][i]);
#pragma unroll
          for (int u = 0; u < kUsers; ++u) {
            if (u * kLanes >= n_here) continue;
            const float4 f = *reinterpret_cast<const float4*>(&users[u * kLanes + lane][i]);
            dots[u] = fmaf(x.w, f.w, fmaf(x.z, f.z, fmaf(x.y, f.y, fmaf(x.x, f.x, dots[u]))));
          }
        }
      }
      float sum = squares[0] + squares[1];
      for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
      if (own >= n) continue;
      const float norm = sqrtf(sum);
      const float factor = norm == 0 ? 0.0f : 1.0f / (norm * args.temperature);
      const int64_t row = request * span.candidates + (first + own) / n_item, q = (first + own) % n_item;
      const SplitRow<T, kSplit<T>> scores = {rows + row * sizes.pitch + sizes.s_at, sizes.s_width};
#pragma unroll
      for (int u = 0; u < kUsers; ++u) {
        const int p = u * kLanes + lane;
        if (p < n_here) scores.put((first_user + p) * n_item + q, dots[u] * factor);
      }
      if (q == 0) {
        for (int64_t c = sizes.pairs + lane; c < sizes.s_width; c += kLanes) scores.put(c, 0);
      }
    }
  }
}

constexpr int kChains = 16;  // threads of a softmax

// Logits of the span: one softmax per candidate and task by half a warp; 0 for a missing candidate.
template <class T>
__global__ void __launch_bounds__(kThreads) sl_mixture_mean(const RunError* error, Args args, Span span,
                                                            const float* gates, const T* rows, MixtureSizes sizes) {
  if (stopped(error)) return;
  const int lane = threadIdx.x % kChains, half = threadIdx.x % 32 / kChains;
  const int64_t pairs = sizes.pairs, n = span.rows() * args.tasks;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kThreads / 32;
  const int64_t warp = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / 32;
  for (int64_t first = warp * 2; first < n; first += warps * 2) {
    // The second half of the last warp may have nothing to do; it takes part in the exchanges.
    const int64_t own = first + half < n ? first + half : first;
    const int64_t row = own / args.tasks, task = own % args.tasks;
    const int64_t candidate = span.candidate(row, args.candidates);
    const bool present = args.embedding_index[candidate] >= 0;
    const float* products = gates + own * pairs;
    const float* of_user = args.user_gates + (candidate / args.candidates * args.tasks + task) * pairs;
    const float* bias = args.item_gate.bias == nullptr ? nullptr : args.item_gate.bias + task * pairs;
    const auto gate = [&](int64_t c) { return products[c] + (bias == nullptr ? of_user[c] : of_user[c] + bias[c]); };
    const SplitRow<const T, kSplit<T>> scores = {rows + row * sizes.pitch + sizes.s_at, sizes.s_width};
    float top = -math::kInfinity, total = 0, weighted = 0;
    if (present) {
      for (int64_t c = lane; c < pairs; c += kChains) {
        const float value = gate(c);
        top = top > value ? top : value;
      }
    }
    for (int step = kChains / 2; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, top, step);
      top = top > other ? top : other;
    }
    if (present) {
      for (int64_t c = lane; c < pairs; c += kChains) {
        const float e = math::exp(ThreadFloat(gate(c) - top)).v;
        total += e;
        weighted = fmaf(e, scores.get(c), weighted);
      }
    }
    for (int step = kChains / 2; step > 0; step /= 2) {
      total += __shfl_xor_sync(0xffffffffu, total, step);
      weighted += __shfl_xor_sync(0xffffffffu, weighted, step);
    }
    if (lane == 0 && first + half < n) args.logits[candidate * args.tasks + task] = present ? weighted / total : 0.0f;
  }
}

}  // namespace

Status pack_weight(const Runtime& device, const MixtureOfLogits::Weight& weight, int64_t n, int64_t in_dim,
                   const PackedColumns& to) {
  const unsigned grid = grid_for(device, n * to.width, kThreads * kPerThread);
  return with_float_type(weight.dtype, [&](auto weight_type) {
    using W = decltype(weight_type);
    const auto enqueue = [&](auto type) {
      using T = decltype(type);
      return launch(device, sl_mixture_pack<W, T>, grid, kThreads, 0, device.error, static_cast<const W*>(weight.data),
                    n, in_dim, static_cast<T*>(to.data), to.pitch, to.at, to.width);
    };
    return to.dtype == DType::kF32 ? enqueue(float{}) : enqueue(W{});
  });
}

Status score_pairs(const Runtime& device, const Args& args, const Span& span, const float* components, void* rows) {
  const MixtureSizes sizes(args);
  const int64_t tiles = (span.candidates * args.item_components + kComponents - 1) / kComponents;
  return with_float_type(sizes.dtype, [&](auto type) {
    using T = decltype(type);
    return launch(device, sl_mixture_scores<T>, grid_for(device, span.requests * tiles, 1), kThreads, 0, device.error,
                  args, span, components, static_cast<T*>(rows), sizes);
  });
}

Status mix(const Runtime& device, const Args& args, const Span& span, const float* gates, const void* rows) {
  const MixtureSizes sizes(args);
  const unsigned grid = grid_for(device, span.rows() * args.tasks, kThreads / kChains);
  return with_float_type(sizes.dtype, [&](auto type) {
    using T = decltype(type);
    return launch(device, sl_mixture_mean<T>, grid, kThreads, 0, device.error, args, span, gates,
                  static_cast<const T*>(rows), sizes);
  });
}

}  // namespace silverlode::cuda
