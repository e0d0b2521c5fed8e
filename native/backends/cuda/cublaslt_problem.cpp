#include "backends/cuda/cublaslt_problem.h"

namespace silverlode::cuda {

namespace {

constexpr int kCandidates = 8;
constexpr uint32_t kNoReduction = 0;  // CUBLASLT_REDUCTION_SCHEME_NONE: sums are never split

cudaDataType_t library_type(DType dtype) {
  return dtype == DType::kF16 ? CUDA_R_16F : dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

}  // namespace

uint32_t alignment_of(const void* address) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 16;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

Problem::Problem(const CublasLt& lt, const GemmTask& task, Fused fused_epilogue)
    : fused(fused_epilogue),
      lt_(lt),
      desc_(nullptr, lt.desc_destroy),
      w_(nullptr, lt.layout_destroy),
      x_(nullptr, lt.layout_destroy),
      y_(nullptr, lt.layout_destroy) {
  cublasLtMatmulDesc_t desc = nullptr;
  keep(lt.desc_create(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  if (status_ != CUBLAS_STATUS_SUCCESS) return;
  desc_.reset(desc);
  set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (fused != Fused::kNothing) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, fused == Fused::kBias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_RELU_BIAS);
    if (task.bias_stride != 0) set(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, task.bias_stride);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, task.bias);
  }
  make_layout(w_, task.dtype, task.k, task.n, task.ldw, task.batch, task.w_stride);
  make_layout(x_, task.dtype, task.k, task.m, task.ldx, task.batch, task.x_stride);
  make_layout(y_, task.y_dtype, task.n, task.m, task.ldy, task.batch, task.y_stride);
}

void Problem::make_layout(Handle<cublasLtMatrixLayout_t>& layout, DType dtype, int64_t rows, int64_t columns,
                          int64_t ld, int64_t batch, int64_t stride) {
  cublasLtMatrixLayout_t created = nullptr;
  keep(lt_.layout_create(&created, library_type(dtype), static_cast<uint64_t>(rows), static_cast<uint64_t>(columns),
                         ld));
  if (status_ != CUBLAS_STATUS_SUCCESS) return;
  layout.reset(created);
  if (batch == 1) return;
  const int32_t count = static_cast<int32_t>(batch);
  keep(lt_.layout_set(created, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
  keep(lt_.layout_set(created, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
}

std::vector<cublasLtMatmulHeuristicResult_t> Problem::candidates(cublasLtHandle_t library, const GemmTask& task,
                                                                 size_t workspace_bytes) const {
  cublasLtMatmulPreference_t created = nullptr;
  if (status_ != CUBLAS_STATUS_SUCCESS || lt_.preference_create(&created) != CUBLAS_STATUS_SUCCESS) return {};
  const Handle<cublasLtMatmulPreference_t> preference(created, lt_.preference_destroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    return lt_.preference_set(created, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  if (!prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(workspace_bytes)) ||
      !prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kNoReduction) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(task.w)) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(task.x)) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(task.y)) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(task.y))) {
    return {};
  }
  std::vector<cublasLtMatmulHeuristicResult_t> results(kCandidates);
  int found = 0;
  const cublasStatus_t status = lt_.heuristic(library, desc_.get(), w_.get(), x_.get(), y_.get(), y_.get(), created,
                                              kCandidates, results.data(), &found);
  results.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<size_t>(found) : 0);
  std::erase_if(results, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
  return results;
}

cublasStatus_t Problem::multiply(cublasLtHandle_t library, const cublasLtMatmulAlgo_t& algo, const GemmTask& task,
                                 void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  const float one = 1, zero = 0;
  if (fused != Fused::kNothing) {
    const cublasStatus_t status =
        lt_.desc_set(desc_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &task.bias, sizeof task.bias);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
  }
  return lt_.matmul(library, desc_.get(), &one, task.w, w_.get(), task.x, x_.get(), &zero, task.y, y_.get(), task.y,
                    y_.get(), &algo, workspace, workspace_bytes, stream);
}

}  // namespace silverlode::cuda
