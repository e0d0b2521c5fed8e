#include "emulation/src/matmul.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "emulation/src/memory.h"

namespace silverlode::emulation {

namespace {

float load(const void* memory, int type, size_t at) {
  switch (type) {
    case CUDA_R_8I: return static_cast<const int8_t*>(memory)[at];
    case CUDA_R_16F: return static_cast<const __half*>(memory)[at];
    case CUDA_R_16BF: return static_cast<const __nv_bfloat16*>(memory)[at];
    case CUDA_R_32I: return static_cast<float>(static_cast<const int32_t*>(memory)[at]);
    default: return static_cast<const float*>(memory)[at];
  }
}

void store(void* memory, int type, size_t at, float value) {
  switch (type) {
    case CUDA_R_8I: {
      const float rounded = std::nearbyint(value);
      static_cast<int8_t*>(memory)[at] = static_cast<int8_t>(rounded < -128 ? -128 : rounded > 127 ? 127 : rounded);
      break;
    }
    case CUDA_R_16F: static_cast<__half*>(memory)[at] = __half(value); break;
    case CUDA_R_16BF: static_cast<__nv_bfloat16*>(memory)[at] = __nv_bfloat16(value); break;
    default: static_cast<float*>(memory)[at] = value; break;
  }
}

const void* batch_of(const void* memory, const MatrixLayout& layout, int batch) {
  if (memory == nullptr) return nullptr;
  return static_cast<const char*>(memory) +
         batch * layout.batch_stride * static_cast<int64_t>(element_bytes(layout.type));
}

// GELU by tanh, as the library's epilogue computes it.
float gelu(float x) {
  constexpr float kSqrt2OverPi = 0.7978845608f;
  return 0.5f * x * (1.0f + std::tanh(kSqrt2OverPi * (x + 0.044715f * x * x * x)));
}

float activate(int epilogue, float x) {
  if ((epilogue & CUBLASLT_EPILOGUE_RELU) != 0) return x < 0 ? 0 : x;
  if ((epilogue & CUBLASLT_EPILOGUE_GELU) != 0) return gelu(x);
  return x;
}

// op(matrix) as [outer][inner] in the type of the sums.
template <class T>
std::vector<T> unpack(const void* memory, const MatrixLayout& layout, uint64_t outer, uint64_t inner, bool by_column) {
  std::vector<T> unpacked(outer * inner);
  for (uint64_t o = 0; o < outer; ++o) {
    for (uint64_t i = 0; i < inner; ++i) {
      const size_t at = by_column ? layout.at(i, o) : layout.at(o, i);
      unpacked[o * inner + i] = static_cast<T>(load(memory, layout.type, at));
    }
  }
  return unpacked;
}

// One column of D: sums[row] for every row, each in ascending order of the inner dimension.
template <class T>
void sum_column(const std::vector<T>& a, const T* b, uint64_t rows, uint64_t inner, std::vector<T>* sums) {
  std::fill(sums->begin(), sums->end(), T{0});
  for (uint64_t k = 0; k < inner; ++k) {
    const T* column = &a[k * rows];
    for (uint64_t row = 0; row < rows; ++row) (*sums)[row] += column[row] * b[k];
  }
}

template <class T>
void write_column(const Matmul& call, int batch, uint64_t col, const std::vector<T>& sums) {
  const MatrixLayout& layout = call.d_layout;
  void* d = const_cast<void*>(batch_of(call.d, layout, batch));
  const void* c = batch_of(call.c, call.c_layout, batch);
  const bool biased = (call.desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
  const int bias_type = call.desc.bias_type < 0 ? layout.type : call.desc.bias_type;
  for (uint64_t row = 0; row < layout.rows; ++row) {
    const size_t at = layout.at(row, col);
    if (layout.type == CUDA_R_32I) {
      const int64_t old = call.beta != 0 ? static_cast<const int32_t*>(c)[call.c_layout.at(row, col)] : 0;
      const int64_t value =
          static_cast<int64_t>(call.alpha) * static_cast<int64_t>(sums[row]) + static_cast<int64_t>(call.beta) * old;
      static_cast<int32_t*>(d)[at] = static_cast<int32_t>(value);
      continue;
    }
    float value = static_cast<float>(call.alpha) * static_cast<float>(sums[row]);
    if (call.beta != 0) {
      value += static_cast<float>(call.beta) * load(c, call.c_layout.type, call.c_layout.at(row, col));
    }
    if (biased) {
      value += load(call.desc.bias, bias_type, row + static_cast<uint64_t>(batch * call.desc.bias_batch_stride));
    }
    store(d, layout.type, at, activate(call.desc.epilogue, value));
  }
}

template <class T>
void run_batch(const Matmul& call, int batch) {
  const uint64_t rows = call.d_layout.rows;
  const uint64_t cols = call.d_layout.cols;
  const bool transpose_a = call.desc.transpose_a != CUBLAS_OP_N;
  const bool transpose_b = call.desc.transpose_b != CUBLAS_OP_N;
  const uint64_t inner = transpose_a ? call.a_layout.rows : call.a_layout.cols;
  const auto a = unpack<T>(batch_of(call.a, call.a_layout, batch), call.a_layout, inner, rows, !transpose_a);
  const auto b = unpack<T>(batch_of(call.b, call.b_layout, batch), call.b_layout, cols, inner, !transpose_b);
  std::vector<T> sums(rows);
  for (uint64_t col = 0; col < cols; ++col) {
    sum_column(a, &b[col * inner], rows, inner, &sums);
    write_column(call, batch, col, sums);
  }
}

void tell_written(const Matmul& call) {
  const MatrixLayout& layout = call.d_layout;
  const size_t bytes = element_bytes(layout.type);
  const bool by_column = layout.order == CUBLASLT_ORDER_COL;
  for (int batch = 0; batch < layout.batches; ++batch) {
    const auto* d = static_cast<const char*>(batch_of(call.d, layout, batch));
    for (uint64_t i = 0; i < (by_column ? layout.cols : layout.rows); ++i) {
      const size_t begin = by_column ? layout.at(0, i) : layout.at(i, 0);
      device_wrote(d + begin * bytes, (by_column ? layout.rows : layout.cols) * bytes);
    }
  }
}

}  // namespace

size_t element_bytes(int type) {
  if (type == CUDA_R_8I) return 1;
  return type == CUDA_R_16F || type == CUDA_R_16BF ? 2 : 4;
}

void run_matmul(const Matmul& call) {
  for (int batch = 0; batch < call.d_layout.batches; ++batch) {
    if (call.desc.compute == CUBLAS_COMPUTE_32I) {
      run_batch<int32_t>(call, batch);
    } else {
      run_batch<float>(call, batch);
    }
  }
  tell_written(call);
}

}  // namespace silverlode::emulation
