// GEMM through cublasLt against a naive one, and what the library refuses.
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

constexpr cudaStream_t kStream = nullptr;

// A product as the backend writes it: Y[n, out] = X[n, in] W[out, in]^T is, by columns, D[out, n] = W^T X.
struct Problem {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType_t scale = CUDA_R_32F;
  cudaDataType_t input = CUDA_R_32F;
  cudaDataType_t output = CUDA_R_32F;
  int rows = 5, cols = 7, inner = 12;  // of D and of the sums
  int ld_padding = 0;
  int batches = 1;
  int epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  cublasOperation_t transpose_a = CUBLAS_OP_T, transpose_b = CUBLAS_OP_N;
};

// Handles of one call; freed at the end.
class Call {
 public:
  explicit Call(const Problem& p) {
    EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtMatmulDescCreate(&desc, p.compute, p.scale), CUBLAS_STATUS_SUCCESS);
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_a);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_b);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, p.epilogue);
    const bool ta = p.transpose_a == CUBLAS_OP_T, tb = p.transpose_b == CUBLAS_OP_T;
    a = layout(p.input, ta ? p.inner : p.rows, ta ? p.rows : p.inner, p);
    b = layout(p.input, tb ? p.cols : p.inner, tb ? p.inner : p.cols, p);
    d = layout(p.output, p.rows, p.cols, p);
    EXPECT_EQ(cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
    const uint64_t workspace = 1 << 20;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, 8);
  }
  ~Call() {
    for (const cublasLtMatrixLayout_t each : {a, b, d}) cublasLtMatrixLayoutDestroy(each);
    cublasLtMatmulPreferenceDestroy(preference);
    cublasLtMatmulDescDestroy(desc);
    cublasLtDestroy(handle);
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof value), CUBLAS_STATUS_SUCCESS);
  }

  cublasStatus_t choose() {
    int n = 0;
    return cublasLtMatmulAlgoGetHeuristic(handle, desc, a, b, d, d, preference, 1, &chosen, &n);
  }

  static cublasLtMatrixLayout_t layout(cudaDataType_t type, int rows, int cols, const Problem& p) {
    cublasLtMatrixLayout_t made = nullptr;
    const int ld = rows + p.ld_padding;
    const int64_t stride = static_cast<int64_t>(ld) * cols;
    EXPECT_EQ(cublasLtMatrixLayoutCreate(&made, type, rows, cols, ld), CUBLAS_STATUS_SUCCESS);
    cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &p.batches, 4);
    cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, 8);
    return made;
  }

  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t chosen = {};
};

// Whole numbers, so that every format and every order of summation is exact.
template <class T>
std::vector<T> small_numbers(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(static_cast<float>(static_cast<int>(random() % 9) - 4));
  return values;
}

float activated(int epilogue, float x) {
  if ((epilogue & CUBLASLT_EPILOGUE_RELU) != 0) return std::max(x, 0.0f);
  if ((epilogue & CUBLASLT_EPILOGUE_GELU) != 0) {
    return 0.5f * x * (1 + std::tanh(std::sqrt(2 / 3.14159265f) * (x + 0.044715f * x * x * x)));
  }
  return x;
}

template <class In, class Out, class Scale>
void expect_product(const Problem& p, Scale alpha, Scale beta, float slack = 0) {
  const bool ta = p.transpose_a == CUBLAS_OP_T, tb = p.transpose_b == CUBLAS_OP_T;
  const int a_ld = (ta ? p.inner : p.rows) + p.ld_padding, b_ld = (tb ? p.cols : p.inner) + p.ld_padding;
  const int d_ld = p.rows + p.ld_padding;
  const size_t a_size = static_cast<size_t>(a_ld) * (ta ? p.rows : p.inner);
  const size_t b_size = static_cast<size_t>(b_ld) * (tb ? p.inner : p.cols),
               d_size = static_cast<size_t>(d_ld) * p.cols;
  const auto a = small_numbers<In>(a_size * p.batches, 1), b = small_numbers<In>(b_size * p.batches, 2);
  const auto old = small_numbers<Out>(d_size * p.batches, 3), bias = small_numbers<Out>(p.rows, 4);
  DeviceArray<In> a_device(a), b_device(b);
  DeviceArray<Out> d_device(old), bias_device(bias);
  DeviceArray<char> workspace(1 << 12);
  Call call(p);
  const bool biased = (p.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
  if (biased) call.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(bias_device.data()));
  ASSERT_EQ(call.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_LE(call.chosen.workspaceSize, size_t{1} << 12);
  ASSERT_EQ(cublasLtMatmul(call.handle, call.desc, &alpha, a_device.data(), call.a, b_device.data(), call.b, &beta,
                           d_device.data(), call.d, d_device.data(), call.d, &call.chosen.algo, workspace.data(),
                           1 << 12, kStream),
            CUBLAS_STATUS_SUCCESS);
  const std::vector<Out> got = d_device.values();
  for (int batch = 0; batch < p.batches; ++batch) {
    for (int col = 0; col < p.cols; ++col) {
      for (int row = 0; row < p.rows; ++row) {
        float sum = 0;
        for (int k = 0; k < p.inner; ++k) {
          const size_t a_at = batch * a_size + (ta ? k + row * a_ld : row + k * a_ld);
          const size_t b_at = batch * b_size + (tb ? col + k * b_ld : k + col * b_ld);
          sum += static_cast<float>(a[a_at]) * static_cast<float>(b[b_at]);
        }
        const size_t at = batch * d_size + row + col * d_ld;
        float want = static_cast<float>(alpha) * sum + static_cast<float>(beta) * static_cast<float>(old[at]);
        if (biased) want += static_cast<float>(bias[row]);
        ASSERT_NEAR(static_cast<float>(got[at]), activated(p.epilogue, want), slack)
            << row << ' ' << col << ' ' << batch;
      }
    }
  }
}

TEST(CublasLt, FloatProducts) {
  Problem p;
  expect_product<float, float>(p, 1.0f, 0.0f);
  expect_product<float, float>(p, 2.0f, -1.0f);
  p.ld_padding = 3;
  p.batches = 3;
  expect_product<float, float>(p, 1.0f, 1.0f);
  p.transpose_a = CUBLAS_OP_N;
  p.transpose_b = CUBLAS_OP_T;
  expect_product<float, float>(p, 1.0f, 0.0f);
}

TEST(CublasLt, Epilogues) {
  Problem p;
  for (const int epilogue : {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU_BIAS}) {
    p.epilogue = epilogue;
    expect_product<float, float>(p, 1.0f, 0.0f);
  }
  for (const int epilogue : {CUBLASLT_EPILOGUE_GELU, CUBLASLT_EPILOGUE_GELU_BIAS}) {
    p.epilogue = epilogue;
    expect_product<float, float>(p, 1.0f, 0.0f, 1e-4f);
  }
}

TEST(CublasLt, HalfProducts) {
  Problem p;
  p.epilogue = CUBLASLT_EPILOGUE_BIAS;
  p.input = CUDA_R_16F;
  expect_product<__half, float>(p, 1.0f, 0.0f);
  p.output = CUDA_R_16F;
  expect_product<__half, __half>(p, 1.0f, 0.0f);
  p.input = p.output = CUDA_R_16BF;
  p.inner = 4;  // so that bfloat16 holds the sums
  expect_product<__nv_bfloat16, __nv_bfloat16>(p, 1.0f, 0.0f);
}

TEST(CublasLt, Int8Products) {
  Problem p;
  p.compute = CUBLAS_COMPUTE_32I;
  p.scale = CUDA_R_32I;
  p.input = CUDA_R_8I;
  p.output = CUDA_R_32I;
  p.rows = 8;
  expect_product<int8_t, int32_t>(p, 1, 0);
  expect_product<int8_t, int32_t>(p, 3, 2);
}

TEST(CublasLt, RefusesWhatTheLibraryRefuses) {
  const auto choose = [](const Problem& p) { return Call(p).choose(); };
  Problem int8;
  int8.compute = CUBLAS_COMPUTE_32I;
  int8.scale = CUDA_R_32I;
  int8.input = CUDA_R_8I;
  int8.output = CUDA_R_32I;
  int8.rows = 8;
  EXPECT_EQ(choose(int8), CUBLAS_STATUS_SUCCESS);
  Problem p = int8;
  p.inner = 13;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = int8;
  p.transpose_a = CUBLAS_OP_N;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = int8;
  p.rows = 6;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = int8;
  p.scale = CUDA_R_32F;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = {};
  p.input = CUDA_R_16F;
  p.output = CUDA_R_16BF;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = {};
  p.compute = CUBLAS_COMPUTE_16F;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_NOT_SUPPORTED);
  p = {};
  p.ld_padding = -1;
  EXPECT_EQ(choose(p), CUBLAS_STATUS_INVALID_VALUE);
  p = {};
  p.epilogue = CUBLASLT_EPILOGUE_BIAS;  // and no bias
  EXPECT_EQ(choose(p), CUBLAS_STATUS_INVALID_VALUE);
}

TEST(CublasLt, AnAlgorithmNeedsItsWorkspace) {
  const Problem p;
  DeviceArray<float> a(60), b(84), d(35);
  cudaMemset(a.data(), 0, 240);
  cudaMemset(b.data(), 0, 336);
  Call call(p);
  const float one = 1, zero = 0;
  const auto multiply = [&](const cublasLtMatmulAlgo_t* algo, void* workspace, size_t bytes) {
    return cublasLtMatmul(call.handle, call.desc, &one, a.data(), call.a, b.data(), call.b, &zero, d.data(), call.d,
                          d.data(), call.d, algo, workspace, bytes, kStream);
  };
  ASSERT_EQ(call.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_GT(call.chosen.workspaceSize, 0u);
  EXPECT_EQ(multiply(&call.chosen.algo, nullptr, 0), CUBLAS_STATUS_INVALID_VALUE);
  const uint64_t none = 0;
  cublasLtMatmulPreferenceSetAttribute(call.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &none, 8);
  ASSERT_EQ(call.choose(), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(call.chosen.workspaceSize, 0u);
  EXPECT_EQ(multiply(&call.chosen.algo, nullptr, 0), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(multiply(nullptr, nullptr, 0), CUBLAS_STATUS_SUCCESS);
}

}  // namespace

}  // namespace silverlode::device_test
