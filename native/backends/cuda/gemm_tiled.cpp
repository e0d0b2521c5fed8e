#include "backends/cuda/gemm_kernels.h"

namespace silverlode::cuda {

namespace {

class TiledGemm final : public Gemm {
 public:
  explicit TiledGemm(const DeviceLimits& limits) : tensor_cores_(limits.compute_capability >= 80) {}

  size_t workspace_bytes() const override { return 0; }
  Status prepare(const Runtime&, const GemmTask&) override { return ok_status(); }

  Status run(const Runtime& device, const GemmTask& task, void*) override {
    if (task.m == 0 || task.n == 0 || task.batch == 0) return ok_status();
    if (task.dtype == DType::kF32 || !tensor_cores_) return run_ffma(device, task);
    return run_mma(device, task);
  }

 private:
  bool tensor_cores_;
};

}  // namespace

std::unique_ptr<Gemm> make_tiled_gemm(const DeviceLimits& limits) { return std::make_unique<TiledGemm>(limits); }

}  // namespace silverlode::cuda
