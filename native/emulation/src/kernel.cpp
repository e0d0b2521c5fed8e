#include "emulation/src/kernel.h"

#include <algorithm>

#include "emulation/src/scheduler.h"
#include "emulation/src/streams.h"

namespace silverlode::emulation {

namespace {

struct Attributes {
  bool cooperative = false;
  bool supported = true;
};

Attributes attributes_of(const cudaLaunchConfig_t& config) {
  Attributes found;
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = config.attrs[i];
    switch (attribute.id) {
      case cudaLaunchAttributeCooperative: found.cooperative = attribute.val.cooperative != 0; break;
      case cudaLaunchAttributeClusterDimension: {
        const auto& cluster = attribute.val.clusterDim;
        if (cluster.x * cluster.y * cluster.z > 1) found.supported = false;  // no distributed shared memory here
        break;
      }
      default: break;  // hints
    }
  }
  return found;
}

bool valid_dimensions(const dim3& grid, const dim3& block) {
  const uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
  if (threads == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 || threads > 1024) return false;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return false;
  return grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
}

cudaError_t check_launch(const cudaLaunchConfig_t& config, const void* kernel, const Attributes& attributes) {
  const dim3& grid = config.gridDim;
  const dim3& block = config.blockDim;
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (!attributes.supported) return cudaErrorNotSupported;
  if (!valid_dimensions(grid, block)) return cudaErrorInvalidConfiguration;
  if (config.dynamicSmemBytes > dynamic_shared_limit(kernel)) return cudaErrorInvalidValue;
  const uint64_t per_multiprocessor = kThreadsPerMultiprocessor / (block.x * block.y * block.z);
  if (attributes.cooperative && uint64_t{grid.x} * grid.y * grid.z > kMultiprocessors * per_multiprocessor) {
    return cudaErrorCooperativeLaunchTooLarge;
  }
  return fails_now("launch") ? cudaErrorLaunchOutOfResources : cudaSuccess;
}

}  // namespace

std::map<const void*, size_t>& dynamic_shared_limits() {
  static auto* const kLimits = new std::map<const void*, size_t>;
  return *kLimits;
}

size_t dynamic_shared_limit(const void* kernel) {
  const auto found = dynamic_shared_limits().find(kernel);
  return found == dynamic_shared_limits().end() ? kStaticSharedBytes : std::max(found->second, kStaticSharedBytes);
}

cudaError_t launch_kernel(const cudaLaunchConfig_t& config, const void* kernel,
                          std::shared_ptr<const KernelCall> call) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  const Attributes attributes = attributes_of(config);
  if (const cudaError_t error = check_launch(config, kernel, attributes); error != cudaSuccess) return leave(error);
  const Grid grid{config.gridDim,         config.blockDim, config.dynamicSmemBytes, dynamic_shared_limit(kernel),
                  attributes.cooperative, call.get()};
  const auto run = [grid, call = std::move(call)] {
    return fails_now("kernel") ? cudaErrorLaunchFailure : scheduler().run(grid);
  };
  return leave(enqueue(lock, config.stream, {cudaGraphNodeTypeKernel, run, kernel}));
}

}  // namespace silverlode::emulation
