// Streams and events, in every stream mode.
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "emulation/settings.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

__global__ void sl_append(uint32_t* log, uint32_t value) {
  const uint32_t n = log[0];
  log[n + 1] = value;
  log[0] = n + 1;
}

__global__ void sl_copy_word(uint32_t* to, const uint32_t* from) { *to = *from; }

class StreamTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { emulation::reset(emulation::parse_settings(GetParam())); }
  void TearDown() override { emulation::reset({}); }
};

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  return stream;
}

cudaEvent_t new_event(unsigned flags = cudaEventDisableTiming) {
  cudaEvent_t event = nullptr;
  EXPECT_EQ(cudaEventCreateWithFlags(&event, flags), cudaSuccess);
  return event;
}

TEST_P(StreamTest, KeepsTheOrderOfItsWork) {
  const cudaStream_t stream = new_stream();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(64, 0));
  for (uint32_t i = 0; i < 50; ++i) {
    ASSERT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), i), cudaSuccess);
  }
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  const std::vector<uint32_t> got = log.values();
  ASSERT_EQ(got[0], 50u);
  for (uint32_t i = 0; i < 50; ++i) EXPECT_EQ(got[i + 1], i);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
}

TEST_P(StreamTest, EventOrdersTwoStreams) {
  const cudaStream_t first = new_stream(), second = new_stream();
  const cudaEvent_t event = new_event();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0)), seen(std::vector<uint32_t>{77});
  ASSERT_EQ(start({.block = 1, .stream = first}, sl_append, log.data(), 5u), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(event, first), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(second, event, 0), cudaSuccess);
  ASSERT_EQ(start({.block = 1, .stream = second}, sl_copy_word, seen.data(), log.data() + 1), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(seen.values()[0], 5u);
  EXPECT_EQ(cudaEventQuery(event), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(first), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(second), cudaSuccess);
}

TEST_P(StreamTest, EventsMeasureTime) {
  const cudaStream_t stream = new_stream();
  const cudaEvent_t begin = new_event(cudaEventDefault), end = new_event(cudaEventDefault), untimed = new_event();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0));
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaErrorInvalidResourceHandle);
  ASSERT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
  ASSERT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 1u), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(untimed, stream), cudaSuccess);
  ASSERT_EQ(cudaEventSynchronize(untimed), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, untimed), cudaErrorInvalidResourceHandle);
  for (const cudaEvent_t event : {begin, end, untimed}) cudaEventDestroy(event);
  cudaStreamDestroy(stream);
}

TEST_P(StreamTest, PollingGetsOn) {
  const cudaStream_t stream = new_stream();
  const cudaEvent_t event = new_event();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(64, 0));
  for (uint32_t i = 0; i < 20; ++i) start({.block = 1, .stream = stream}, sl_append, log.data(), i);
  ASSERT_EQ(cudaEventRecord(event, stream), cudaSuccess);
  while (cudaEventQuery(event) == cudaErrorNotReady) {
  }
  while (cudaStreamQuery(stream) == cudaErrorNotReady) {
  }
  EXPECT_EQ(log.values()[0], 20u);
  cudaEventDestroy(event);
  cudaStreamDestroy(stream);
}

struct Called {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  cudaError_t nested = cudaSuccess;
};

void call_back(void* data) {
  auto& called = *static_cast<Called*>(data);
  void* memory = nullptr;
  const cudaError_t nested = cudaMalloc(&memory, 16);  // not permitted here
  const std::lock_guard lock(called.mutex);
  called.nested = nested;
  called.done = true;
  called.wake.notify_all();
}

// As an event loop does: nobody waits for the stream, only for the callback.
TEST_P(StreamTest, HostFunctionIsCalledWithoutAWait) {
  const cudaStream_t stream = new_stream();
  Called called;
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0));
  ASSERT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 9u), cudaSuccess);
  ASSERT_EQ(cudaLaunchHostFunc(stream, call_back, &called), cudaSuccess);
  std::unique_lock lock(called.mutex);
  called.wake.wait(lock, [&] { return called.done; });
  EXPECT_EQ(called.nested, cudaErrorNotPermitted);
  lock.unlock();
  EXPECT_EQ(log.values()[1], 9u);
  cudaStreamDestroy(stream);
}

// The function may take a lock that another thread holds while it calls the runtime.
TEST_P(StreamTest, HostFunctionRunsWithoutTheLockOfTheDevice) {
  const cudaStream_t stream = new_stream();
  Called called;
  std::unique_lock lock(called.mutex);
  std::thread waiter([&] {
    cudaLaunchHostFunc(stream, call_back, &called);
    cudaStreamSynchronize(stream);
  });
  size_t free_bytes = 0, total_bytes = 0;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
  lock.unlock();
  waiter.join();
  EXPECT_TRUE(called.done);
  cudaStreamDestroy(stream);
}

// Blocking streams and the default stream wait for each other.
TEST_P(StreamTest, DefaultStreamWaitsForBlockingStreams) {
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0));
  ASSERT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 1u), cudaSuccess);
  ASSERT_EQ(start({.block = 1}, sl_append, log.data(), 2u), cudaSuccess);
  ASSERT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 3u), cudaSuccess);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::vector<uint32_t> got = log.values();
  EXPECT_EQ(std::vector<uint32_t>(got.begin(), got.begin() + 4), (std::vector<uint32_t>{3, 1, 2, 3}));
  cudaStreamDestroy(stream);
}

TEST_P(StreamTest, FaultArrivesAtTheWait) {
  emulation::Settings settings = emulation::parse_settings(GetParam());
  settings.failures["kernel"] = 2;
  emulation::reset(settings);
  const cudaStream_t stream = new_stream();
  const cudaEvent_t event = new_event();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0));
  EXPECT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 1u), cudaSuccess);
  EXPECT_EQ(start({.block = 1, .stream = stream}, sl_append, log.data(), 2u), cudaSuccess);
  cudaEventRecord(event, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorLaunchFailure);
  cudaDeviceReset();
  cudaEventDestroy(event);
  cudaStreamDestroy(stream);
}

INSTANTIATE_TEST_SUITE_P(Modes, StreamTest, testing::Values("streams=eager", "streams=lazy", "streams=rand:5"),
                         [](const auto& info) {
                           const std::string text = info.param;
                           return text.substr(8, text.find(':') - 8);
                         });

// What the lazy mode is for: defects that a busy GPU shows now and then, and the eager mode never.
class LazyTest : public testing::Test {
 protected:
  void SetUp() override { emulation::reset(emulation::parse_settings("streams=lazy")); }
  void TearDown() override { emulation::reset({}); }
};

TEST_F(LazyTest, ShowsAMissingEvent) {
  const cudaStream_t first = new_stream(), second = new_stream();
  DeviceArray<uint32_t> log(std::vector<uint32_t>(8, 0)), seen(std::vector<uint32_t>{77});
  start({.block = 1, .stream = first}, sl_append, log.data(), 5u);
  start({.block = 1, .stream = second}, sl_copy_word, seen.data(), log.data() + 1);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(seen.values()[0], 0u);  // not 5
  cudaStreamDestroy(first);
  cudaStreamDestroy(second);
}

TEST_F(LazyTest, ShowsPinnedMemoryThatIsReusedTooEarly) {
  const cudaStream_t stream = new_stream();
  DeviceArray<uint32_t> target(1);
  uint32_t* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 4), cudaSuccess);
  *pinned = 1;
  ASSERT_EQ(cudaMemcpyAsync(target.data(), pinned, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  *pinned = 2;
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(target.values()[0], 2u);
  cudaFreeHost(pinned);
  cudaStreamDestroy(stream);
}

TEST_F(LazyTest, ShowsAResultThatIsReadBeforeTheWait) {
  const cudaStream_t stream = new_stream();
  DeviceArray<uint32_t> source(std::vector<uint32_t>{6});
  uint32_t* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 4), cudaSuccess);
  *pinned = 1;
  ASSERT_EQ(cudaMemcpyAsync(pinned, source.data(), 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(*pinned, 1u);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(*pinned, 6u);
  cudaFreeHost(pinned);
  cudaStreamDestroy(stream);
}

}  // namespace

}  // namespace silverlode::device_test
