// Device and pinned memory, copies, limits, and calls that are made to fail.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "emulation/settings.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

class MemoryTest : public testing::Test {
 protected:
  void TearDown() override { emulation::reset({}); }
};

TEST_F(MemoryTest, IsNeverZeroAtFirst) {
  DeviceArray<unsigned char> bytes(100);
  for (const unsigned char byte : bytes.values()) EXPECT_EQ(byte, 0xCD);
}

TEST_F(MemoryTest, LimitAndFreeBytes) {
  emulation::reset(emulation::parse_settings("memory=1M"));
  size_t free_bytes = 0, total_bytes = 0;
  ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
  EXPECT_EQ(total_bytes, size_t{1} << 20);
  EXPECT_EQ(free_bytes, total_bytes);
  void *most = nullptr, *more = nullptr;
  ASSERT_EQ(cudaMalloc(&most, 1000000), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&more, 50000), cudaErrorMemoryAllocation);
  EXPECT_EQ(more, nullptr);
  EXPECT_EQ(cudaMalloc(&more, SIZE_MAX - 10), cudaErrorMemoryAllocation);
  ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
  EXPECT_EQ(free_bytes, total_bytes - 1000000);
  EXPECT_EQ(cudaFree(most), cudaSuccess);
  EXPECT_EQ(cudaFree(most), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
}

TEST_F(MemoryTest, StreamOrderedAllocation) {
  emulation::reset(emulation::parse_settings("memory=1M,streams=lazy"));
  cudaStream_t stream = nullptr;
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&pool, 0), cudaSuccess);
  uint64_t threshold = UINT64_MAX, used = 0;
  EXPECT_EQ(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold), cudaSuccess);
  for (int i = 0; i < 10; ++i) {  // more in total than there is, but never at a time
    void* memory = nullptr;
    ASSERT_EQ(cudaMallocAsync(&memory, 600000, stream), cudaSuccess);
    EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), cudaSuccess);
    EXPECT_EQ(used, 600000u);
    ASSERT_EQ(cudaMemsetAsync(memory, 1, 600000, stream), cudaSuccess);
    ASSERT_EQ(cudaFreeAsync(memory, stream), cudaSuccess);
  }
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), cudaSuccess);
  EXPECT_EQ(used, 0u);
  EXPECT_EQ(cudaMemPoolTrimTo(pool, 0), cudaSuccess);
  cudaStreamDestroy(stream);
}

TEST_F(MemoryTest, OwnPool) {
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  void* memory = nullptr;
  ASSERT_EQ(cudaMallocFromPoolAsync(&memory, 100, pool, nullptr), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaErrorInvalidValue);  // in use
  ASSERT_EQ(cudaFreeAsync(memory, nullptr), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
}

TEST_F(MemoryTest, CopiesGoWhereTheKindSays) {
  std::vector<char> host(100, 'h');
  DeviceArray<char> device(100), other(100);
  void* to = device.data();
  EXPECT_EQ(cudaMemcpy(to, host.data(), 100, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(other.data(), to, 100, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(other.values(), host);
  EXPECT_EQ(cudaMemcpy(to, host.data(), 100, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(to, host.data(), 101, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device.data() + 50, host.data(), 51, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device.data() + 50, 0, 51), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(to, nullptr, 0, cudaMemcpyHostToDevice), cudaSuccess);
}

TEST_F(MemoryTest, CopiesOfRows) {
  const std::string rows = "abcdefghijkl";  // 3 rows of 4
  DeviceArray<char> device(std::vector<char>(30, '.'));
  ASSERT_EQ(cudaMemcpy2DAsync(device.data(), 10, rows.data(), 4, 3, 3, cudaMemcpyHostToDevice, nullptr), cudaSuccess);
  const std::vector<char> got = device.values();
  EXPECT_EQ(std::string(got.begin(), got.end()), "abc.......efg.......ijk.......");
  EXPECT_EQ(cudaMemcpy2DAsync(device.data(), 10, rows.data(), 2, 3, 3, cudaMemcpyHostToDevice, nullptr),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy2DAsync(device.data(), 10, rows.data(), 4, 3, 4, cudaMemcpyHostToDevice, nullptr),
            cudaErrorInvalidValue);
}

TEST_F(MemoryTest, PageableMemoryIsCopiedBeforeTheCallReturns) {
  emulation::reset(emulation::parse_settings("streams=lazy"));
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  DeviceArray<uint32_t> device(1);
  uint32_t word = 5, back = 0;
  ASSERT_EQ(cudaMemcpyAsync(device.data(), &word, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  word = 6;
  ASSERT_EQ(cudaMemcpyAsync(&back, device.data(), 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(back, 5u);
  cudaStreamDestroy(stream);
}

TEST_F(MemoryTest, PinnedAndRegistered) {
  void* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(&pinned, 64, cudaHostAllocMapped), cudaSuccess);
  cudaPointerAttributes attributes = {};
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, static_cast<char*>(pinned) + 10), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  void* mapped = nullptr;
  EXPECT_EQ(cudaHostGetDevicePointer(&mapped, pinned, 0), cudaSuccess);
  EXPECT_EQ(mapped, pinned);
  EXPECT_EQ(cudaHostUnregister(pinned), cudaErrorHostMemoryNotRegistered);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);

  std::vector<char> own(64);
  ASSERT_EQ(cudaHostRegister(own.data(), own.size(), cudaHostRegisterDefault), cudaSuccess);
  EXPECT_EQ(cudaHostRegister(own.data() + 10, 10, cudaHostRegisterDefault), cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_EQ(cudaFreeHost(own.data()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaHostUnregister(own.data()), cudaSuccess);
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, own.data()), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

TEST_F(MemoryTest, CallsFailOnDemand) {
  emulation::reset(emulation::parse_settings("fail=malloc:2,fail=host:1,fail=copy:2,fail=create:1"));
  void *first = nullptr, *second = nullptr, *pinned = nullptr;
  EXPECT_EQ(cudaMalloc(&first, 10), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&second, 10), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&second, 10), cudaSuccess);
  EXPECT_EQ(cudaMallocHost(&pinned, 10), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMemset(first, 0, 10), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(second, first, 10, cudaMemcpyDeviceToDevice), cudaErrorUnknown);
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreate(&stream), cudaErrorMemoryAllocation);
  cudaFree(first);
  cudaFree(second);
}

TEST_F(MemoryTest, NoDevice) {
  emulation::reset(emulation::parse_settings("fail=device"));
  int count = 7;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 10), cudaErrorNoDevice);
}

TEST_F(MemoryTest, TheDeviceSaysWhatItIs) {
  cudaDeviceProp properties = {};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "Silverlode host emulation (not a GPU)");
  EXPECT_EQ(properties.major, 9);
  EXPECT_EQ(properties.multiProcessorCount, 4);
  int value = 0;
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), cudaSuccess);
  EXPECT_EQ(value, 227 * 1024);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
  EXPECT_STREQ(cudaGetErrorName(cudaErrorInvalidDevice), "cudaErrorInvalidDevice");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}

TEST(Settings, AreRead) {
  const emulation::Settings settings =
      emulation::parse_settings("order=rand:7,streams=lazy,fail=malloc:3,memory=64M,copies=eager,on_fault=abort");
  EXPECT_EQ(settings.error, "");
  EXPECT_EQ(settings.order, emulation::Order::kRandom);
  EXPECT_EQ(settings.order_seed, 7u);
  EXPECT_EQ(settings.streams, emulation::StreamMode::kLazy);
  EXPECT_EQ(settings.failures.at("malloc"), 3);
  EXPECT_EQ(settings.memory_bytes, size_t{64} << 20);
  EXPECT_TRUE(settings.copies_at_issue);
  EXPECT_TRUE(settings.abort_on_fault);
  EXPECT_EQ(emulation::parse_settings("").error, "");
}

TEST(Settings, MistakesAreToldAndTheDeviceDoesNotStart) {
  for (const char* text : {"ordre=rand", "order=sideways", "order=rand:x", "memory=64Q", "fail=malloc", "fail=malloc:0",
                           "fail=coffee:1", "streams", "order=forward,,streams=lazy"}) {
    const emulation::Settings settings = emulation::parse_settings(text);
    EXPECT_NE(settings.error, "") << text;
    emulation::reset(settings);
    int count = 7;
    EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInitializationError);
    EXPECT_EQ(count, 0);
  }
  emulation::reset({});
}

}  // namespace

}  // namespace silverlode::device_test
