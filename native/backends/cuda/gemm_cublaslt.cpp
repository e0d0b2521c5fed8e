// Products by cuBLASLt. How a shape is computed is decided once and kept: by timing the library's candidates in prepare(),
// else by its first one. Sums are never split, so that results depend on the shape alone.
//
// Fused activations: relu, and only with algorithms that were seen to keep NaN. The library's gelu is the tanh form and ours is
// the exact one, so all others run as our kernel. Where the library supports nothing for a shape, the tiled kernels serve.
#include <compare>
#include <map>
#include <mutex>

#include "backends/cuda/cublaslt_problem.h"
#include "backends/cuda/gemm_kernels.h"
#include "backends/cuda/handles.h"
#include "core/half.h"
#include "ops/check.h"

namespace silverlode::cuda {

namespace {

using DeviceBytes = Owned<void*, cudaFree>;

constexpr int kRepeats = 5;
constexpr float kWorthwhile = 0.95f;  // a candidate of lower estimate must be this much faster to be taken
constexpr size_t kWorkspaceAlignment = 256;

// All that a choice depends on.
struct Key {
  int64_t sizes[11];
  DType types[3];
  Activation activation;
  bool has_bias;
  uint32_t alignment[4];
  auto operator<=>(const Key&) const = default;
};

Key key_of(const GemmTask& task) {
  return {{task.m, task.n, task.k, task.ldx, task.ldw, task.ldy, task.batch, task.x_stride, task.w_stride,
           task.bias_stride, task.y_stride},
          {task.dtype, task.y_dtype, task.bias_dtype},
          task.activation,
          task.bias != nullptr,
          {alignment_of(task.x), alignment_of(task.w), alignment_of(task.y), alignment_of(task.bias)}};
}

// How a shape is computed; by the tiled kernels when there is no problem.
struct Choice {
  std::unique_ptr<Problem> problem;
  cublasLtMatmulAlgo_t algo = {};
};

// What the library did not do.
Status finish(const Runtime& device, const GemmTask& task, Fused fused) {
  GemmTask rest = task;
  if (fused != Fused::kNothing) rest.bias = nullptr;
  if (fused == Fused::kBiasRelu) rest.activation = Activation::kNone;
  if (rest.bias == nullptr && rest.activation == Activation::kNone) return ok_status();
  return run_epilogue(device, rest);
}

class CublasLtGemm final : public Gemm {
 public:
  CublasLtGemm(const CublasLt& lt, cublasLtHandle_t library, const DeviceLimits& limits)
      : lt_(lt),
        library_(library, lt.destroy),
        tiled_(make_tiled_gemm(limits)),
        workspace_bytes_(limits.compute_capability >= 90 ? size_t{32} << 20 : size_t{4} << 20) {}

  // The arena aligns to less than the library wants.
  size_t workspace_bytes() const override { return workspace_bytes_ + kWorkspaceAlignment; }

  Status prepare(const Runtime& device, const GemmTask& task) override;

  Status run(const Runtime& device, const GemmTask& task, void* workspace) override {
    if (task.m == 0 || task.n == 0 || task.batch == 0) return ok_status();
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = choices_.find(key_of(task));
    if (found == choices_.end()) found = choices_.emplace(key_of(task), first_choice(task)).first;
    Choice& choice = found->second;
    if (choice.problem != nullptr) {
      const cublasStatus_t status = choice.problem->multiply(library_.get(), choice.algo, task, aligned(workspace),
                                                             workspace_bytes_, device.stream);
      if (status == CUBLAS_STATUS_SUCCESS) return finish(device, task, choice.problem->fused);
      if (status != CUBLAS_STATUS_NOT_SUPPORTED) {
        return make_error(Code::kCudaError, "cublasLtMatmul failed with status %d", static_cast<int>(status));
      }
      choice.problem = nullptr;
    }
    return tiled_->run(device, task, nullptr);
  }

 private:
  static void* aligned(void* workspace) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(workspace) + kWorkspaceAlignment - 1;
    return reinterpret_cast<void*>(address / kWorkspaceAlignment * kWorkspaceAlignment);
  }

  // A fused bias must have the type of the result.
  static bool can_fuse_bias(const GemmTask& task) { return task.bias != nullptr && task.bias_dtype == task.y_dtype; }

  Choice first_choice(const GemmTask& task) const {
    for (Fused fused : {Fused::kBias, Fused::kNothing}) {
      if (fused == Fused::kBias && !can_fuse_bias(task)) continue;
      auto problem = std::make_unique<Problem>(lt_, task, fused);
      const auto candidates = problem->candidates(library_.get(), task, workspace_bytes_);
      if (!candidates.empty()) return {std::move(problem), candidates[0].algo};
    }
    return {};
  }

  Status choose(const Runtime& device, const GemmTask& task, void* workspace, Choice& best);
  Status measure(const Runtime& device, const GemmTask& task, void* workspace, Choice& choice, float& milliseconds);

  const CublasLt& lt_;
  const Handle<cublasLtHandle_t> library_;
  const std::unique_ptr<Gemm> tiled_;
  const size_t workspace_bytes_;
  std::mutex mutex_;  // descriptors hold the bias of the task being enqueued
  std::map<Key, Choice> choices_;
};

int64_t extent(int64_t batch, int64_t stride, int64_t rows, int64_t ld, int64_t columns) {
  return (batch - 1) * stride + (rows - 1) * ld + columns;
}

// Operands of a shape that is measured: every x is NaN, in all three types, W and the bias are 0.
class Operands {
 public:
  // False when there is too little memory for them.
  bool allocate(GemmTask& task, size_t workspace_bytes) {
    const size_t size = dtype_size(task.dtype);
    x_bytes_ = static_cast<size_t>(extent(task.batch, task.x_stride, task.m, task.ldx, task.k)) * size;
    w_bytes_ = static_cast<size_t>(extent(task.batch, task.w_stride, task.n, task.ldw, task.k)) * size;
    bias_bytes_ = static_cast<size_t>(extent(task.batch, task.bias_stride, 1, 0, task.n)) * sizeof(float);
    const size_t y_bytes =
        static_cast<size_t>(extent(task.batch, task.y_stride, task.m, task.ldy, task.n)) * dtype_size(task.y_dtype);
    const bool enough =
        cudaMalloc(x_.out(), x_bytes_) == cudaSuccess && cudaMalloc(w_.out(), w_bytes_) == cudaSuccess &&
        cudaMalloc(bias_.out(), bias_bytes_) == cudaSuccess && cudaMalloc(y_.out(), y_bytes) == cudaSuccess &&
        cudaMalloc(workspace_.out(), workspace_bytes) == cudaSuccess;
    if (!enough) (void)cudaGetLastError();  // not an error of later calls
    task.x = x_.get(), task.w = w_.get(), task.y = y_.get();
    if (task.bias != nullptr) task.bias = bias_.get();
    return enough;
  }

  Status fill(cudaStream_t stream) {
    constexpr const char* kWhat = "measuring products";
    SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(x_.get(), 0xff, x_bytes_, stream), kWhat));
    SILVERLODE_RETURN_IF_ERROR(status_of(cudaMemsetAsync(w_.get(), 0, w_bytes_, stream), kWhat));
    return status_of(cudaMemsetAsync(bias_.get(), 0, bias_bytes_, stream), kWhat);
  }

  void* workspace() const { return workspace_.get(); }

 private:
  DeviceBytes x_, w_, bias_, y_, workspace_;
  size_t x_bytes_ = 0, w_bytes_ = 0, bias_bytes_ = 0;
};

// Whether the first result is NaN; waits.
Status reads_nan(const Runtime& device, const GemmTask& task, bool& nan) {
  uint32_t bits = 0;
  const cudaError_t error =
      cudaMemcpyAsync(&bits, task.y, dtype_size(task.y_dtype), cudaMemcpyDeviceToHost, device.stream);
  SILVERLODE_RETURN_IF_ERROR(status_of(error, "measuring products"));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaStreamSynchronize(device.stream), "measuring products"));
  const float value = task.y_dtype == DType::kF16    ? f16_to_float(static_cast<uint16_t>(bits))
                      : task.y_dtype == DType::kBF16 ? bf16_to_float(static_cast<uint16_t>(bits))
                                                     : bits_float(bits);
  nan = value != value;
  return ok_status();
}

Status CublasLtGemm::prepare(const Runtime& device, const GemmTask& shape) {
  if (shape.m == 0 || shape.n == 0 || shape.batch == 0) return ok_status();
  GemmTask task = shape;
  Operands operands;
  if (!operands.allocate(task, workspace_bytes_)) return ok_status();  // run() will take the library's estimate
  const std::lock_guard<std::mutex> lock(mutex_);
  if (choices_.count(key_of(task)) != 0) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(operands.fill(device.stream));
  Choice best;
  SILVERLODE_RETURN_IF_ERROR(choose(device, task, operands.workspace(), best));
  choices_.emplace(key_of(task), std::move(best));
  return ok_status();
}

// The fastest candidate of the first epilogue that works.
Status CublasLtGemm::choose(const Runtime& device, const GemmTask& task, void* workspace, Choice& best) {
  for (Fused fused : {Fused::kBiasRelu, Fused::kBias, Fused::kNothing}) {
    if (fused != Fused::kNothing && !can_fuse_bias(task)) continue;
    if (fused == Fused::kBiasRelu && task.activation != Activation::kRelu) continue;
    bool found = false;
    float best_time = 0;
    Choice choice = {std::make_unique<Problem>(lt_, task, fused), {}};
    for (const auto& candidate : choice.problem->candidates(library_.get(), task, workspace_bytes_)) {
      choice.algo = candidate.algo;
      float time = -1;
      SILVERLODE_RETURN_IF_ERROR(measure(device, task, workspace, choice, time));
      if (time < 0 || (found && time > kWorthwhile * best_time)) continue;
      found = true;
      best.algo = candidate.algo;
      best_time = time;
    }
    if (!found) continue;
    best.problem = std::move(choice.problem);
    return ok_status();
  }
  return ok_status();
}

// `milliseconds` stays as it is when the candidate cannot be used.
Status CublasLtGemm::measure(const Runtime& device, const GemmTask& task, void* workspace, Choice& choice,
                             float& milliseconds) {
  const auto enqueue = [&] {
    return choice.problem->multiply(library_.get(), choice.algo, task, workspace, workspace_bytes_, device.stream);
  };
  if (enqueue() != CUBLAS_STATUS_SUCCESS) return ok_status();
  bool nan = false;
  SILVERLODE_RETURN_IF_ERROR(reads_nan(device, task, nan));
  if (!nan) return ok_status();
  Event begin, end;
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaEventCreate(begin.out()), "measuring products"));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaEventCreate(end.out()), "measuring products"));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaEventRecord(begin.get(), device.stream), "measuring products"));
  for (int i = 0; i < kRepeats; ++i) {
    if (enqueue() != CUBLAS_STATUS_SUCCESS) return ok_status();
  }
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaEventRecord(end.get(), device.stream), "measuring products"));
  SILVERLODE_RETURN_IF_ERROR(status_of(cudaEventSynchronize(end.get()), "measuring products"));
  return status_of(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "measuring products");
}

}  // namespace

std::unique_ptr<Gemm> make_cublaslt_gemm(const DeviceLimits& limits, std::string* note) {
  std::string reason;
  const CublasLt* lt = cublaslt_library(reason);
  cublasLtHandle_t library = nullptr;
  if (lt != nullptr && lt->create(&library) != CUBLAS_STATUS_SUCCESS) {
    reason = "cublasLtCreate failed";
    lt = nullptr;
  }
  if (note != nullptr) *note = lt == nullptr ? reason : "cuBLASLt " + std::to_string(lt->get_version());
  return lt == nullptr ? nullptr : std::make_unique<CublasLtGemm>(*lt, library, limits);
}

std::unique_ptr<Gemm> make_gemm(const DeviceLimits& limits, std::string* note) {
  std::string reason;
  std::unique_ptr<Gemm> gemm = make_cublaslt_gemm(limits, &reason);
  if (note != nullptr) *note = gemm != nullptr ? reason : "built-in matrix products (" + reason + ")";
  return gemm != nullptr ? std::move(gemm) : make_tiled_gemm(limits);
}

}  // namespace silverlode::cuda
