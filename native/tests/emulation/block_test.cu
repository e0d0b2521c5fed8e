// Barriers, shared memory, built-in variables, atomics between blocks.
#include <numeric>

#include "backends/cuda/launch.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

constexpr unsigned kThreads = 256;

struct Partial {};

__global__ void sl_block_sum(const uint32_t* values, uint32_t* sums) {
  auto& partial = cuda::shared<uint32_t[kThreads], Partial>();
  partial[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

TEST(Block, SumsThroughSharedMemory) {
  std::vector<uint32_t> values(4 * kThreads);
  std::iota(values.begin(), values.end(), 0u);
  DeviceArray<uint32_t> input(values);
  DeviceArray<uint32_t> sums(4);
  ASSERT_EQ(run({.grid = 4, .block = kThreads}, sl_block_sum, input.data(), sums.data()), cudaSuccess);
  const std::vector<uint32_t> got = sums.values();
  for (unsigned b = 0; b < 4; ++b) {
    EXPECT_EQ(got[b], std::accumulate(&values[b * kThreads], &values[b * kThreads] + kThreads, 0u));
  }
}

}  // namespace

}  // namespace silverlode::device_test
