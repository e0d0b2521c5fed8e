// Barriers, shared memory, built-in variables, atomics, hand-over between blocks.
#include <numeric>

#include "backends/cuda/launch.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

constexpr unsigned kThreads = 256;

__global__ void sl_block_sum(const uint32_t* values, uint32_t* sums) {
  auto& partial = cuda::shared<uint32_t[kThreads], struct Partial>();
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

__global__ void sl_dynamic_shared(uint32_t* out, unsigned n) {
  auto* words = cuda::dynamic_shared<uint32_t>();
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) words[i] = i;
  __syncthreads();
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) out[i] = words[n - 1 - i];
}

TEST(Block, DynamicSharedMemory) {
  constexpr unsigned kWords = 100 * 1024 / 4;  // more than the 48 KB that need no permission
  DeviceArray<uint32_t> out(kWords);
  EXPECT_EQ(run({.block = 128, .shared_bytes = kWords * 4}, sl_dynamic_shared, out.data(), kWords),
            cudaErrorInvalidValue);
  ASSERT_EQ(cudaFuncSetAttribute(sl_dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, kWords * 4),
            cudaSuccess);
  ASSERT_EQ(run({.block = 128, .shared_bytes = kWords * 4}, sl_dynamic_shared, out.data(), kWords), cudaSuccess);
  const std::vector<uint32_t> got = out.values();
  for (unsigned i = 0; i < kWords; ++i) ASSERT_EQ(got[i], kWords - 1 - i);
  cudaGetLastError();
}

__global__ void sl_votes(const int* in, int* out) {
  out[3 * threadIdx.x] = __syncthreads_count(in[threadIdx.x] > 2);
  out[3 * threadIdx.x + 1] = __syncthreads_and(in[threadIdx.x] > 0) != 0;
  out[3 * threadIdx.x + 2] = __syncthreads_or(in[threadIdx.x] > 99) != 0;
}

TEST(Block, BarriersThatVote) {
  std::vector<int> in(70);
  for (int i = 0; i < 70; ++i) in[i] = i % 5;
  DeviceArray<int> input(in), output(3 * in.size());
  ASSERT_EQ(run({.block = 70}, sl_votes, input.data(), output.data()), cudaSuccess);
  const std::vector<int> got = output.values();
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(got[3 * i], 28);
    EXPECT_EQ(got[3 * i + 1], 0);
    EXPECT_EQ(got[3 * i + 2], 0);
  }
}

__global__ void sl_positions(uint32_t* out) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  __syncthreads();  // the variables are right after a switch too
  out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] =
      threadIdx.x | threadIdx.y << 4 | threadIdx.z << 8 | blockIdx.x << 12 | blockIdx.y << 16 | blockIdx.z << 20;
}

TEST(Block, BuiltInVariables) {
  const dim3 grid(3, 2, 2), block(5, 3, 2);
  DeviceArray<uint32_t> out(12 * 30);
  ASSERT_EQ(run({.grid = grid, .block = block}, sl_positions, out.data()), cudaSuccess);
  const std::vector<uint32_t> got = out.values();
  for (uint32_t i = 0; i < got.size(); ++i) {
    const uint32_t t = i % 30, b = i / 30;
    EXPECT_EQ(got[i], t % 5 | t / 5 % 3 << 4 | t / 15 << 8 | b % 3 << 12 | b / 3 % 2 << 16 | b / 6 << 20);
  }
}

struct Atomics {
  int sum, low, high, bits_and, bits_or, bits_xor, exchanged, difference;
  unsigned wrapped, lowered;
  unsigned long long wide_sum, wide_high;
  float float_sum;
  double double_sum;
  unsigned winners;
};

__global__ void sl_atomics(Atomics* a) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&a->sum, i);
  atomicSub(&a->difference, i);
  atomicMin(&a->low, 7 - i);
  atomicMax(&a->high, i);
  atomicAnd(&a->bits_and, ~(1 << (i % 31)));
  atomicOr(&a->bits_or, 1 << (i % 31));
  atomicXor(&a->bits_xor, 1 << (i % 31));
  atomicExch(&a->exchanged, i);
  atomicInc(&a->wrapped, 9u);
  atomicDec(&a->lowered, 9u);
  atomicAdd(&a->wide_sum, 1ull << 33);
  atomicMax(&a->wide_high, static_cast<unsigned long long>(i) << 34);
  atomicAdd(&a->float_sum, 0.5f);
  atomicAdd(&a->double_sum, 0.25);
  if (atomicCAS(&a->winners, 0u, static_cast<unsigned>(i) + 1) == 0) atomicAdd(&a->sum, 1000000);
}

TEST(Block, Atomics) {
  Atomics start = {};
  start.bits_and = -1;
  DeviceArray<Atomics> atomics(std::vector<Atomics>{start});
  ASSERT_EQ(run({.grid = 3, .block = 64}, sl_atomics, atomics.data()), cudaSuccess);
  const Atomics got = atomics.values()[0];
  const int n = 192, sum = n * (n - 1) / 2;
  EXPECT_EQ(got.sum, sum + 1000000);  // exactly one thread won
  EXPECT_EQ(got.difference, -sum);
  EXPECT_EQ(got.low, 7 - (n - 1));
  EXPECT_EQ(got.high, n - 1);
  EXPECT_EQ(got.bits_and, static_cast<int>(0x80000000u));
  EXPECT_EQ(got.bits_or, 0x7fffffff);
  EXPECT_EQ(got.bits_xor, (1 << 6) - 1);  // 192 = 6 * 31 + 6: six bits flip a seventh time
  EXPECT_GE(got.exchanged, 0);
  EXPECT_EQ(got.wrapped, static_cast<unsigned>(n % 10));
  EXPECT_EQ(got.lowered, static_cast<unsigned>((10 - n % 10) % 10));
  EXPECT_EQ(got.wide_sum, static_cast<unsigned long long>(n) << 33);
  EXPECT_EQ(got.wide_high, static_cast<unsigned long long>(n - 1) << 34);
  EXPECT_EQ(got.float_sum, 96.0f);
  EXPECT_EQ(got.double_sum, 48.0);
}

// The last block to finish adds up what the others have left.
__global__ void sl_last_block(const uint32_t* values, uint32_t* sums, unsigned* done, uint32_t* total) {
  auto& last = cuda::shared<bool, struct Last>();
  const uint32_t value = __reduce_add_sync(0xffffffffu, values[blockIdx.x * 32 + threadIdx.x]);
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = value;
    __threadfence();
    last = atomicAdd(done, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  uint32_t sum = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) sum += sums[b];
  *total = sum;
}

TEST(Block, LastBlockSumsUp) {
  std::vector<uint32_t> values(32 * 17);
  std::iota(values.begin(), values.end(), 5u);
  DeviceArray<uint32_t> input(values), sums(17), total(1);
  DeviceArray<unsigned> done(std::vector<unsigned>{0});
  ASSERT_EQ(run({.grid = 17}, sl_last_block, input.data(), sums.data(), done.data(), total.data()), cudaSuccess);
  EXPECT_EQ(total.values()[0], std::accumulate(values.begin(), values.end(), 0u));
}

__global__ void sl_clock(long long* spent) {
  const long long start = clock64();
  __syncthreads();
  spent[threadIdx.x] = clock64() - start;
}

TEST(Block, ClockDoesNotGoBack) {
  DeviceArray<long long> spent(64);
  ASSERT_EQ(run({.block = 64}, sl_clock, spent.data()), cudaSuccess);
  for (const long long nanoseconds : spent.values()) EXPECT_GE(nanoseconds, 0);
}

// A block that waits for a value of an earlier one, spinning.
__global__ void sl_wait_for_flag(uint32_t* turn, uint32_t* order) {
  auto& rank = cuda::shared<uint32_t, struct Rank>();
  if (threadIdx.x == 0) rank = atomicAdd(&turn[0], 1u);  // blocks may start in any order
  __syncthreads();
  if (threadIdx.x == 0) {
    while (atomicAdd(&turn[1], 0u) != rank) __nanosleep(20);
    order[rank] = rank;
    __threadfence();
    atomicAdd(&turn[1], 1u);
  }
  __syncthreads();
}

TEST(Block, SpinningLetsOthersRun) {
  DeviceArray<uint32_t> turn(std::vector<uint32_t>{0, 0}), order(24);
  ASSERT_EQ(run({.grid = 24, .block = 64}, sl_wait_for_flag, turn.data(), order.data()), cudaSuccess);
  const std::vector<uint32_t> got = order.values();
  for (uint32_t i = 0; i < 24; ++i) EXPECT_EQ(got[i], i);
}

#ifdef SILVERLODE_EMULATION

__global__ void sl_grid_barrier(uint32_t* words, uint32_t* sums) {
  words[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;
  emulation::grid_barrier({"grid barrier", std::source_location::current()});
  if (threadIdx.x != 0) return;
  uint32_t sum = 0;
  for (unsigned i = 0; i < gridDim.x * blockDim.x; ++i) sum += words[i];
  sums[blockIdx.x] = sum;
}

TEST(Block, GridBarrier) {
  DeviceArray<uint32_t> words(8 * 128), sums(8);
  ASSERT_EQ(run({.grid = 8, .block = 128, .cooperative = true}, sl_grid_barrier, words.data(), sums.data()),
            cudaSuccess);
  EXPECT_EQ(sums.values(), std::vector<uint32_t>(8, 8 * 127 * 64));
  EXPECT_EQ(run({.grid = 65, .block = 128, .cooperative = true}, sl_grid_barrier, words.data(), sums.data()),
            cudaErrorCooperativeLaunchTooLarge);
  cudaGetLastError();
}

#endif

TEST(Block, LaunchesThatCannotBe) {
  DeviceArray<uint32_t> out(1);
  EXPECT_EQ(start({.grid = dim3(0)}, sl_positions, out.data()), cudaErrorInvalidConfiguration);
  EXPECT_EQ(start({.block = 1025}, sl_positions, out.data()), cudaErrorInvalidConfiguration);
  EXPECT_EQ(start({.block = dim3(1, 1, 65)}, sl_positions, out.data()), cudaErrorInvalidConfiguration);
  EXPECT_EQ(start({.grid = dim3(1, 65536)}, sl_positions, out.data()), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

}  // namespace

}  // namespace silverlode::device_test
