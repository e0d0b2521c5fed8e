#include <cublasLt.h>

#include <cstring>

#include "emulation/settings.h"
#include "emulation/src/matmul.h"
#include "emulation/src/streams.h"

using namespace silverlode::emulation;

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t : MatmulDesc {};
struct cublasLtMatrixLayoutOpaque_t : MatrixLayout {};
struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t most_workspace = 0;
};

namespace {

constexpr size_t kVersion = 130000;
constexpr size_t kWorkspaceBytes =
    4096;  // what every algorithm of the emulation asks for, so that callers must provide it

template <class T>
cublasStatus_t read(T* into, const void* value, size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(into, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool valid_layout(const MatrixLayout& layout) {
  const uint64_t least = layout.order == CUBLASLT_ORDER_COL ? layout.rows : layout.cols;
  return layout.rows != 0 && layout.cols != 0 && layout.ld >= 0 && static_cast<uint64_t>(layout.ld) >= least;
}

bool is_16_bit(int type) { return type == CUDA_R_16F || type == CUDA_R_16BF; }

// int8 products: A transposed and B not, everything in multiples of four, no epilogue on int32.
bool supports_int8(const Matmul& call) {
  const MatmulDesc& desc = call.desc;
  const int type = call.d_layout.type;
  if (call.a_layout.type != CUDA_R_8I || (type != CUDA_R_32I && type != CUDA_R_8I)) return false;
  if (desc.scale != (type == CUDA_R_32I ? CUDA_R_32I : CUDA_R_32F)) return false;
  if (type == CUDA_R_32I && desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT) return false;
  for (const MatrixLayout* layout : {&call.a_layout, &call.b_layout, &call.c_layout, &call.d_layout}) {
    if (layout->order != CUBLASLT_ORDER_COL || layout->ld % 4 != 0) return false;
  }
  return desc.transpose_a == CUBLAS_OP_T && desc.transpose_b == CUBLAS_OP_N && call.a_layout.rows % 4 == 0 &&
         call.d_layout.rows % 4 == 0;
}

bool supports_float(const Matmul& call) {
  const int type = call.a_layout.type;
  const int out = call.d_layout.type;
  if (call.desc.scale != CUDA_R_32F) return false;
  if (type != CUDA_R_32F && !is_16_bit(type)) return false;
  if (out != CUDA_R_32F && out != type) return false;
  const bool plain = call.desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT;
  if (!plain && call.d_layout.order != CUBLASLT_ORDER_COL) return false;  // a bias runs along a column
  const int bias = call.desc.bias_type;
  return bias < 0 || bias == out || (bias == CUDA_R_32F && is_16_bit(out));
}

cublasStatus_t check(const Matmul& call) {
  const MatmulDesc& desc = call.desc;
  const MatrixLayout &a = call.a_layout, &b = call.b_layout, &c = call.c_layout, &d = call.d_layout;
  for (const MatrixLayout* layout : {&a, &b, &c, &d}) {
    if (!valid_layout(*layout) || layout->batches != d.batches) return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool transpose_a = desc.transpose_a != CUBLAS_OP_N;
  const bool transpose_b = desc.transpose_b != CUBLAS_OP_N;
  if ((transpose_a ? a.cols : a.rows) != d.rows || (transpose_b ? b.rows : b.cols) != d.cols ||
      (transpose_a ? a.rows : a.cols) != (transpose_b ? b.cols : b.rows) || c.rows != d.rows || c.cols != d.cols) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (a.type != b.type || c.type != d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (desc.pointer_mode != CUBLASLT_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
  if ((desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 && desc.bias == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  switch (desc.compute) {
    case CUBLAS_COMPUTE_32I: return supports_int8(call) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      return supports_float(call) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

bool aligned(const void* address, const MatrixLayout& layout) {
  const size_t align = layout.type == CUDA_R_8I ? 4 : element_bytes(layout.type);
  return reinterpret_cast<uintptr_t>(address) % align == 0;
}

double scalar(const void* value, int type) {
  return type == CUDA_R_32I ? *static_cast<const int32_t*>(value) : *static_cast<const float*>(value);
}

}  // namespace

extern "C" {

size_t cublasLtGetVersion() { return kVersion; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR: return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_LICENSE_ERROR: return "CUBLAS_STATUS_LICENSE_ERROR";
  }
  return "unknown";
}

const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  const Lock lock(device_mutex());
  if (enter() != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (fails_now("create")) return CUBLAS_STATUS_ALLOC_FAILED;
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute, cudaDataType_t scale) {
  const Lock lock(device_mutex());
  if (fails_now("create")) return CUBLAS_STATUS_ALLOC_FAILED;
  *desc = new cublasLtMatmulDescOpaque_t;
  (*desc)->compute = compute;
  (*desc)->scale = scale;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE: return read(&desc->compute, value, bytes);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE: return read(&desc->scale, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE: return read(&desc->pointer_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA: return read(&desc->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return read(&desc->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return read(&desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return read(&desc->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE: return read(&desc->bias_batch_stride, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return read(&desc->bias_type, value, bytes);
  }
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  const Lock lock(device_mutex());
  if (fails_now("create")) return CUBLAS_STATUS_ALLOC_FAILED;
  *layout = new cublasLtMatrixLayoutOpaque_t;
  (*layout)->type = type;
  (*layout)->rows = rows;
  (*layout)->cols = cols;
  (*layout)->ld = ld;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE: return read(&layout->type, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER: return read(&layout->order, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS: return read(&layout->rows, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS: return read(&layout->cols, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD: return read(&layout->ld, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return read(&layout->batches, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return read(&layout->batch_stride, value, bytes);
  }
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  const Lock lock(device_mutex());
  if (fails_now("create")) return CUBLAS_STATUS_ALLOC_FAILED;
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  uint32_t ignored = 0;
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return read(&preference->most_workspace, value, bytes);
  return read(&ignored, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results, int* returned) {
  *returned = 0;
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const Matmul call{*desc, *a, *b, *c, *d, nullptr, nullptr, nullptr, nullptr, 1, 0};
  if (const cublasStatus_t status = check(call); status != CUBLAS_STATUS_SUCCESS) return status;
  results[0] = {};
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].wavesCount = 1;
  // A caller with less than that gets an algorithm that needs none, marked in its first word.
  if (preference->most_workspace >= kWorkspaceBytes) results[0].workspaceSize = kWorkspaceBytes;
  results[0].algo.data[0] = results[0].workspaceSize;
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  Lock lock(device_mutex());
  if (handle == nullptr || enter() != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const Matmul call{*desc,
                    *a_layout,
                    *b_layout,
                    *c_layout,
                    *d_layout,
                    a,
                    b,
                    c,
                    d,
                    scalar(alpha, desc->scale),
                    scalar(beta, desc->scale)};
  if (const cublasStatus_t status = check(call); status != CUBLAS_STATUS_SUCCESS) return status;
  if (a == nullptr || b == nullptr || d == nullptr || (c == nullptr && call.beta != 0)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!aligned(a, call.a_layout) || !aligned(b, call.b_layout) || !aligned(d, call.d_layout)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (algo != nullptr && algo->data[0] != 0 && (workspace == nullptr || workspace_bytes < algo->data[0])) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (fails_now("launch")) return CUBLAS_STATUS_EXECUTION_FAILED;
  const cudaError_t error = enqueue(lock, stream, {cudaGraphNodeTypeKernel, [call] {
                                                     run_matmul(call);
                                                     return cudaSuccess;
                                                   }});
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
}
