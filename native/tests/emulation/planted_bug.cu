#include "tests/emulation/planted_bug.h"

#include <cstring>

#include "backends/cuda/launch.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

constexpr unsigned kFull = 0xffffffffu;

// ---------------------------------------------------------------- where threads meet

__global__ void sl_divergent_barrier(uint32_t* out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void sl_two_barriers(uint32_t* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void sl_barrier_after_exit(uint32_t* out) {
  if (threadIdx.x == 63) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void sl_shuffle_after_exit(uint32_t* out) {
  if (threadIdx.x % 32 == 31) return;
  out[threadIdx.x] = __shfl_xor_sync(kFull, threadIdx.x, 1);
}

__global__ void sl_mask_without_caller(uint32_t* out) { out[threadIdx.x] = __ballot_sync(0x0000ffffu, 1); }

__global__ void sl_different_operations(uint32_t* out) {
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = __ballot_sync(kFull, 1);
  } else {
    out[threadIdx.x] = __shfl_sync(kFull, threadIdx.x, 0);
  }
}

__global__ void sl_deadlock(uint32_t* out) {
  if (threadIdx.x < 16) {
    __syncwarp(0x0000ffffu | 1u << 20);  // lane 20 is elsewhere
  } else if (threadIdx.x < 32) {
    __syncwarp(0xffff0000u | 1u);
  }
  out[threadIdx.x] = 1;
}

__global__ void sl_endless_spin(uint32_t* out) {
  volatile uint32_t* flag = out;
  *flag = 0;
  while (*flag == 0) __nanosleep(100);
}

__global__ void sl_trap(uint32_t*) {
  if (threadIdx.x == 40) __trap();
}

// ---------------------------------------------------------------- bounds

__global__ void sl_global_bounds(uint32_t* out) { out[threadIdx.x + 1] = threadIdx.x; }

__global__ void sl_shared_bounds(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[64], struct Words>();
  uint32_t* word = words;
  word[threadIdx.x + 1] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = word[threadIdx.x + 1];
}

__global__ void sl_dynamic_bounds(uint32_t* out) {
  auto* words = cuda::dynamic_shared<uint32_t>();
  words[threadIdx.x + 1] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = words[threadIdx.x + 1];
}

uint32_t host_word = 5;

__global__ void sl_host_pointer(uint32_t* out, const uint32_t* word) { out[threadIdx.x] = *word; }

__global__ void sl_misaligned(uint32_t* out) {
  const auto* pair = reinterpret_cast<const uint64_t*>(out + 1);
  if (threadIdx.x == 0) out[8] = static_cast<uint32_t>(*pair);
}

// ---------------------------------------------------------------- order

__global__ void sl_shared_race(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[64], struct Words>();
  words[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = words[63 - threadIdx.x];  // no barrier
}

__global__ void sl_warp_race(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[64], struct Words>();
  words[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = words[threadIdx.x ^ 1];  // no __syncwarp
}

__global__ void sl_write_after_read_race(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[64], struct Words>();
  words[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const uint32_t other = words[63 - threadIdx.x];
  words[threadIdx.x] = other;  // no barrier
  out[threadIdx.x] = other;
}

__global__ void sl_block_race(uint32_t* out) { out[threadIdx.x] = blockIdx.x; }

__global__ void sl_missing_fence(uint32_t* out) {
  auto& last = cuda::shared<bool, struct Last>();
  if (threadIdx.x == 0) {
    out[blockIdx.x] = blockIdx.x;  // no fence behind it
    last = atomicAdd(&out[32], 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x < gridDim.x) out[33 + threadIdx.x] = out[threadIdx.x];
}

__global__ void sl_uninitialised_shared(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[64], struct Words>();
  if (threadIdx.x < 63) words[threadIdx.x] = 0;
  __syncthreads();
  out[threadIdx.x] = words[threadIdx.x];
}

__global__ void sl_uninitialised_device(uint32_t* out, const uint32_t* in) { out[threadIdx.x] = in[threadIdx.x]; }

#ifdef SILVERLODE_EMULATION
__global__ void sl_missing_wait(uint32_t* out) {
  auto& words = cuda::shared<uint32_t[128], struct Words>();
  emulation::async_copy<4>(&words[threadIdx.x], &out[threadIdx.x]);
  emulation::async_commit();
  __syncthreads();
  out[threadIdx.x] = words[threadIdx.x];
}
#endif

template <class... Arguments>
cudaError_t launch_one(void (*kernel)(uint32_t*, Arguments...), uint32_t* out, Arguments... arguments) {
  return run({.block = 64}, kernel, out, arguments...);
}

cudaError_t launch_uninitialised(uint32_t* out) {
  DeviceArray<uint32_t> in(64);
  return launch_one<const uint32_t*>(sl_uninitialised_device, out, in.data());
}

constexpr PlantedBug kBugs[] = {
    {"divergent barrier", [](uint32_t* out) { return launch_one(sl_divergent_barrier, out); }},
    {"two barriers", [](uint32_t* out) { return launch_one(sl_two_barriers, out); }},
    {"barrier after exit", [](uint32_t* out) { return launch_one(sl_barrier_after_exit, out); }},
    {"shuffle after exit", [](uint32_t* out) { return launch_one(sl_shuffle_after_exit, out); }},
    {"mask without caller", [](uint32_t* out) { return launch_one(sl_mask_without_caller, out); }},
    {"different operations", [](uint32_t* out) { return launch_one(sl_different_operations, out); }},
    {"deadlock", [](uint32_t* out) { return launch_one(sl_deadlock, out); }},
    {"endless spin", [](uint32_t* out) { return launch_one(sl_endless_spin, out); }},
    {"trap", [](uint32_t* out) { return launch_one(sl_trap, out); }},
    {"global bounds", [](uint32_t* out) { return launch_one(sl_global_bounds, out); }},
    {"shared bounds", [](uint32_t* out) { return launch_one(sl_shared_bounds, out); }},
    {"dynamic bounds", [](uint32_t* out) { return run({.block = 64, .shared_bytes = 256}, sl_dynamic_bounds, out); }},
    {"no dynamic memory", [](uint32_t* out) { return launch_one(sl_dynamic_bounds, out); }},
    {"host pointer",
     [](uint32_t* out) { return launch_one<const uint32_t*>(sl_host_pointer, out, new uint32_t(host_word)); }},
    {"misaligned", [](uint32_t* out) { return launch_one(sl_misaligned, out); }},
    {"shared race", [](uint32_t* out) { return launch_one(sl_shared_race, out); }},
    {"warp race", [](uint32_t* out) { return launch_one(sl_warp_race, out); }},
    {"write after read race", [](uint32_t* out) { return launch_one(sl_write_after_read_race, out); }},
    {"block race", [](uint32_t* out) { return run({.grid = 2, .block = 64}, sl_block_race, out); }},
    {"missing fence", [](uint32_t* out) { return run({.grid = 4, .block = 32}, sl_missing_fence, out); }},
    {"uninitialised shared", [](uint32_t* out) { return launch_one(sl_uninitialised_shared, out); }},
    {"uninitialised device", launch_uninitialised},
#ifdef SILVERLODE_EMULATION
    {"missing wait", [](uint32_t* out) { return launch_one(sl_missing_wait, out); }},
#endif
};

}  // namespace

const PlantedBug* find_planted_bug(const char* name) {
  for (const PlantedBug& bug : kBugs) {
    if (std::strcmp(bug.name, name) == 0) return &bug;
  }
  return nullptr;
}

}  // namespace silverlode::device_test
