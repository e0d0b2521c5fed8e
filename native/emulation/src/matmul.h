// The arithmetic of a GEMM: D = epilogue(alpha op(A) op(B) + beta C + bias).
#pragma once

#include <cublasLt.h>

namespace silverlode::emulation {

struct MatrixLayout {
  int type = CUDA_R_32F;
  int order = CUBLASLT_ORDER_COL;
  uint64_t rows = 0;
  uint64_t cols = 0;
  int64_t ld = 0;
  int batches = 1;
  int64_t batch_stride = 0;  // in elements

  size_t at(uint64_t row, uint64_t col) const {
    const auto step = static_cast<uint64_t>(ld);
    return order == CUBLASLT_ORDER_COL ? row + col * step : row * step + col;
  }
};

struct MatmulDesc {
  int compute = CUBLAS_COMPUTE_32F;
  int scale = CUDA_R_32F;
  int pointer_mode = CUBLASLT_POINTER_MODE_HOST;
  int transpose_a = CUBLAS_OP_N;
  int transpose_b = CUBLAS_OP_N;
  int epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  int64_t bias_batch_stride = 0;
  int bias_type = -1;  // the type of D
};

struct Matmul {
  MatmulDesc desc;
  MatrixLayout a_layout, b_layout, c_layout, d_layout;
  const void* a;
  const void* b;
  const void* c;
  void* d;
  double alpha, beta;
};

size_t element_bytes(int type);

// Sums products in float, or in int32 for int8 inputs, over the inner dimension in ascending order.
void run_matmul(const Matmul& call);

}  // namespace silverlode::emulation
