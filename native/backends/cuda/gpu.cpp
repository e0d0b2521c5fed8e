#include "backends/cuda/gpu.h"

#include <cstdio>
#include <string>
#include <vector>

#include "backends/cuda/cublaslt_library.h"

namespace silverlode::cuda {

namespace {

constexpr int32_t kLeastCapability = 75;
constexpr int32_t kLeastRuntime = 12000;
// Freed memory that is kept for the next allocation, so that results of runs cost no call to the driver.
constexpr uint64_t kKeptBytes = 256 << 20;

// Errors after which every call of this process on that GPU fails. Codes without a name in older headers are written out.
bool is_sticky(cudaError_t error) {
  switch (static_cast<int>(error)) {
    case 214:  // uncorrectable ECC error
    case 220:  // uncorrectable NVLink error
    case 226:  // contained memory error
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case 709:  // context is destroyed
    case cudaErrorAssert:
    case 714:  // hardware stack error
    case 715:  // illegal instruction
    case cudaErrorMisalignedAddress:
    case 717:  // invalid address space
    case 718:  // invalid program counter
    case cudaErrorLaunchFailure:
    case 721: return true;  // contained error
    default: return false;
  }
}

Status no_device(int driver) {
  if (driver == 0) return make_error(Code::kDeviceUnavailable, "no NVIDIA driver is installed");
  return make_error(Code::kDeviceUnavailable, "the driver shows no CUDA device");
}

}  // namespace

Status status_of(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return ok_status();
  (void)cudaGetLastError();  // told here; the next call starts clean
  if (error == cudaErrorMemoryAllocation) return make_error(Code::kOutOfMemory, "%s: out of device memory", what);
  const Status status =
      make_error(Code::kCudaError, "%s: %s (%s)", what, cudaGetErrorString(error), cudaGetErrorName(error));
  int ordinal = 0;
  if (is_sticky(error) && cudaGetDevice(&ordinal) == cudaSuccess) Gpu::at(ordinal).die(status);
  return status;
}

Status Gpu::count(int32_t& count) {
  int driver = 0;
  int found = 0;
  (void)cudaDriverGetVersion(&driver);
  const cudaError_t error = cudaGetDeviceCount(&found);
  (void)cudaGetLastError();
  count = found;
  if (driver != 0 && error == cudaErrorInsufficientDriver) {
    int runtime = kLeastRuntime;
    (void)cudaRuntimeGetVersion(&runtime);
    return make_error(Code::kDeviceUnavailable,
                      "the driver supports CUDA %d.%d, this build needs %d.0; update the driver", driver / 1000,
                      driver % 1000 / 10, runtime / 1000);
  }
  if (error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver || (error == cudaSuccess && found == 0)) {
    return no_device(driver);
  }
  if (error != cudaSuccess) return make_error(Code::kDeviceUnavailable, "CUDA: %s", cudaGetErrorString(error));
  return ok_status();
}

Gpu& Gpu::at(int32_t ordinal) {
  static std::mutex mutex;
  static auto& all = *new std::vector<std::unique_ptr<Gpu>>;  // never destroyed: tensors may outlive static destruction
  const std::lock_guard<std::mutex> lock(mutex);
  const size_t index = static_cast<size_t>(ordinal);
  while (all.size() <= index) all.push_back(std::make_unique<Gpu>(static_cast<int32_t>(all.size())));
  return *all[index];
}

Gpu::Gpu(int32_t ordinal) : ordinal_(ordinal) {
  const cudaError_t error = cudaGetDeviceProperties(&properties_, ordinal);
  (void)cudaGetLastError();
  if (error != cudaSuccess) known_ = make_error(Code::kCudaError, "CUDA: %s", cudaGetErrorString(error));
  limits_.compute_capability = properties_.major * 10 + properties_.minor;
  limits_.sm_count = properties_.multiProcessorCount;
  limits_.shared_bytes = properties_.sharedMemPerBlockOptin;
  limits_.l2_bytes = static_cast<size_t>(properties_.l2CacheSize);
  limits_.memory_bytes = properties_.totalGlobalMem;
}

void Gpu::describe(PluginDeviceInfo& info) const {
  std::snprintf(info.name, sizeof info.name, "%s", properties_.name);
  info.memory_bytes = static_cast<int64_t>(limits_.memory_bytes);
  info.compute_capability = limits_.compute_capability;
  std::string why;
  if (cublaslt_library(why) == nullptr) {
    std::snprintf(info.note, sizeof info.note, "built-in matrix products (%s)", why.c_str());
  }
#ifdef SILVERLODE_EMULATION
  info.emulated = true;
#endif
  if (!known_.ok()) {
    std::snprintf(info.reason, sizeof info.reason, "%s", known_.text);
  } else if (limits_.compute_capability < kLeastCapability) {
    std::snprintf(info.reason, sizeof info.reason, "compute capability %d.%d is not supported, the least is %d.%d",
                  properties_.major, properties_.minor, kLeastCapability / 10, kLeastCapability % 10);
  }
}

Status Gpu::use() {
  if (Status status = status_of(cudaSetDevice(ordinal_), "choosing the GPU"); !status.ok()) return status;
  if (Status status = alive(); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  return prepared_ ? ok_status() : prepare();
}

Status Gpu::alive() {
  const std::lock_guard<std::mutex> lock(death_mutex_);
  return death_;
}

Status Gpu::prepare() {
  cudaMemPool_t pool = nullptr;
  uint64_t kept = kKeptBytes;
  Status status = status_of(cudaDeviceGetDefaultMemPool(&pool, ordinal_), "memory pool of the GPU");
  if (status.ok()) {
    status = status_of(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept), "memory pool of the GPU");
  }
  if (status.ok()) {
    status = status_of(cudaStreamCreateWithFlags(memory_stream_.out(), cudaStreamNonBlocking), "creating a stream");
  }
  prepared_ = status.ok();
  return status;
}

void Gpu::die(const Status& cause) {
  const std::lock_guard<std::mutex> lock(death_mutex_);
  if (!death_.ok()) return;
  death_ = make_error(Code::kCudaError, "cuda:%d stopped working in this process: %.180s", ordinal_, cause.text);
}

Status Gpu::allocate(size_t bytes, void*& memory) {
  if (Status status = use(); !status.ok()) return status;
  const size_t wanted = bytes == 0 ? 1 : bytes;
  Status status = status_of(cudaMallocAsync(&memory, wanted, memory_stream_.get()), "allocating device memory");
  if (status.code == Code::kOutOfMemory) {
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    (void)memory_info(free_bytes, total_bytes);
    return make_error(Code::kOutOfMemory, "cuda:%d: cannot allocate %zu bytes; %zu of %zu are free", ordinal_, bytes,
                      free_bytes, total_bytes);
  }
  if (!status.ok()) return status;
  // Other streams may use it from here on.
  status = status_of(cudaStreamSynchronize(memory_stream_.get()), "allocating device memory");
  if (!status.ok()) release(memory);
  return status;
}

void Gpu::release(void* memory) {
  if (!use().ok()) return;  // the context took its memory along
  (void)status_of(cudaFreeAsync(memory, memory_stream_.get()), "freeing device memory");
}

Status Gpu::write(void* to, const void* from_host, size_t bytes) {
  if (Status status = use(); !status.ok()) return status;
  const cudaError_t error = cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice, memory_stream_.get());
  if (Status status = status_of(error, "copying to the GPU"); !status.ok()) return status;
  return status_of(cudaStreamSynchronize(memory_stream_.get()), "copying to the GPU");
}

Status Gpu::memory_info(size_t& free_bytes, size_t& total_bytes) {
  if (Status status = use(); !status.ok()) return status;
  return status_of(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
}

}  // namespace silverlode::cuda
