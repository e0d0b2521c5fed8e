// A matrix product as cuBLASLt's descriptors say it. Row-major y = x W^T is column-major y^T = W x^T, in which the bias runs
// along the rows of the result as the library wants it.
#pragma once

#include <memory>
#include <type_traits>
#include <vector>

#include "backends/cuda/cublaslt_library.h"
#include "backends/cuda/gemm.h"

namespace silverlode::cuda {

template <class T>
using Handle = std::unique_ptr<std::remove_pointer_t<T>, cublasStatus_t (*)(T)>;

// What the library does after the product.
enum class Fused { kNothing, kBias, kBiasRelu };

// Largest power of two up to 16 that divides an address: the library's choice depends on it.
uint32_t alignment_of(const void* address);

class Problem {
 public:
  Problem(const CublasLt& lt, const GemmTask& task, Fused fused_epilogue);

  // The library's candidates, best estimate first; none where it cannot do this.
  std::vector<cublasLtMatmulHeuristicResult_t> candidates(cublasLtHandle_t library, const GemmTask& task,
                                                          size_t workspace_bytes) const;
  // Enqueues the product of a task of this shape.
  cublasStatus_t multiply(cublasLtHandle_t library, const cublasLtMatmulAlgo_t& algo, const GemmTask& task,
                          void* workspace, size_t workspace_bytes, cudaStream_t stream);

  const Fused fused;

 private:
  void keep(cublasStatus_t status) {
    if (status_ == CUBLAS_STATUS_SUCCESS) status_ = status;
  }
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    keep(lt_.desc_set(desc_.get(), attribute, &value, sizeof value));
  }
  void make_layout(Handle<cublasLtMatrixLayout_t>& layout, DType dtype, int64_t rows, int64_t columns, int64_t ld,
                   int64_t batch, int64_t stride);

  const CublasLt& lt_;
  Handle<cublasLtMatmulDesc_t> desc_;
  Handle<cublasLtMatrixLayout_t> w_, x_, y_;
  cublasStatus_t status_ = CUBLAS_STATUS_SUCCESS;  // of making the descriptors
};

}  // namespace silverlode::cuda
