// Matrix products of the dense ops on the device. Two implementations: cuBLASLt, opened at run time, and our own tiled
// kernels, which serve without it and are what it is checked against.
#pragma once

#include <memory>
#include <string>

#include "backends/cuda/runtime.h"
#include "ops/activation.h"

namespace silverlode::cuda {

// y[b] = activation(x[b] W[b]^T + bias[b]) for every matrix b of a batch; all row-major. Pointers are device pointers, leading
// dimensions and strides count elements. Sums are float32, the empty sum is 0; an empty
// result is no work.
struct GemmTask {
  const void* x = nullptr;     // [m, k] of `dtype`
  const void* w = nullptr;     // [n, k] of `dtype`
  const void* bias = nullptr;  // [n] of `bias_dtype`, or null
  void* y = nullptr;           // [m, n] of `y_dtype`
  int64_t m = 0, n = 0, k = 0;
  int64_t ldx = 0, ldw = 0, ldy = 0;
  int64_t batch = 1;
  int64_t x_stride = 0, w_stride = 0, bias_stride = 0, y_stride = 0;  // between matrices; 0 shares one
  DType dtype = DType::kF32;                                          // float32, float16 or bfloat16
  DType y_dtype = DType::kF32;                                        // float32 or `dtype`
  DType bias_dtype = DType::kF32;                                     // float32 or `dtype`
  Activation activation = Activation::kNone;
};

class Gemm {
 public:
  virtual ~Gemm() = default;

  // Scratch memory that run() needs; the same for every task.
  virtual size_t workspace_bytes() const = 0;

  // Chooses how tasks of this shape are computed; pointers are not read. May measure, so it allocates device memory and
  // waits for it: only where a program is planned. Without it run() takes an untimed choice.
  virtual Status prepare(const Runtime& device, const GemmTask& task) = 0;

  // Enqueues the task; may be captured into a graph. `workspace` is workspace_bytes() of device memory, in use until the
  // task is done.
  virtual Status run(const Runtime& device, const GemmTask& task, void* workspace) = 0;
};

// cuBLASLt where it can be used; `note` (may be null) gets its version, or why it is not used.
std::unique_ptr<Gemm> make_gemm(const DeviceLimits& limits, std::string* note);

std::unique_ptr<Gemm> make_tiled_gemm(const DeviceLimits& limits);
// Null where the library cannot be used; `note` (may be null) says why.
std::unique_ptr<Gemm> make_cublaslt_gemm(const DeviceLimits& limits, std::string* note);

}  // namespace silverlode::cuda
