// The bodies that PTX wrappers have on the host.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <random>

#include "backends/cuda/launch.h"
#include "tests/emulation/device.h"

#ifdef SILVERLODE_EMULATION

namespace silverlode::device_test {

namespace {

// Random words that are small whole numbers in both 16-bit formats too, so that every sum is exact.
template <class Half>
std::vector<uint16_t> small_halves(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint16_t> values(n);
  for (uint16_t& value : values) value = Half(static_cast<float>(static_cast<int>(random() % 17) - 8)).bits;
  return values;
}

std::vector<int8_t> random_int8(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> values(n);
  for (int8_t& value : values) value = static_cast<int8_t>(random());
  return values;
}

// A by rows, B by columns: words of a row of A and of a column of B lie side by side, as the fragments want them.
__global__ void sl_mma_s8(const unsigned* a, const unsigned* b, int* d) {
  const unsigned group = threadIdx.x / 4, member = threadIdx.x % 4;
  const unsigned af[4] = {a[group * 8 + member], a[(group + 8) * 8 + member], a[group * 8 + member + 4],
                          a[(group + 8) * 8 + member + 4]};
  const unsigned bf[2] = {b[group * 8 + member], b[group * 8 + member + 4]};
  int df[4] = {1, 1, 1, 1};
  emulation::mma_m16n8k32_s8(df, af, bf);
  for (unsigned i = 0; i < 4; ++i) d[(group + 8 * (i / 2)) * 8 + 2 * member + i % 2] = df[i];
}

TEST(TensorCore, Int8ProductIsTheNaiveOne) {
  const std::vector<int8_t> a = random_int8(16 * 32, 1), b = random_int8(8 * 32, 2);
  DeviceArray<int8_t> a_device(a), b_device(b);
  DeviceArray<int> d(16 * 8);
  ASSERT_EQ(run({}, sl_mma_s8, reinterpret_cast<unsigned*>(a_device.data()),
                reinterpret_cast<unsigned*>(b_device.data()), d.data()),
            cudaSuccess);
  const std::vector<int> got = d.values();
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      int sum = 1;
      for (int k = 0; k < 32; ++k) sum += a[row * 32 + k] * b[column * 32 + k];
      ASSERT_EQ(got[row * 8 + column], sum) << row << ' ' << column;
    }
  }
}

// A through ldmatrix, B through ldmatrix with the same addressing as a column-major B has.
template <class Half>
__global__ void sl_mma_half(const uint16_t* a, const uint16_t* b, float* d) {
  auto& a_tile = cuda::shared<uint16_t[16 * 16], struct A>();
  auto& b_tile = cuda::shared<uint16_t[8 * 16], struct B>();
  for (unsigned i = threadIdx.x; i < 256; i += 32) a_tile[i] = a[i];
  for (unsigned i = threadIdx.x; i < 128; i += 32) b_tile[i] = b[i];
  __syncwarp();
  unsigned af[4], bf[2];
  const unsigned lane = threadIdx.x;
  emulation::load_matrix(af, &a_tile[(lane % 16) * 16 + lane / 16 * 8]);
  emulation::load_matrix(bf, &b_tile[(lane % 8) * 16 + lane / 8 % 2 * 8]);
  float df[4] = {};
  emulation::mma_m16n8k16<Half>(df, af, bf);
  for (unsigned i = 0; i < 4; ++i) d[(lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2] = df[i];
}

template <class Half>
void expect_half_product() {
  const std::vector<uint16_t> a = small_halves<Half>(16 * 16, 3), b = small_halves<Half>(8 * 16, 4);
  DeviceArray<uint16_t> a_device(a), b_device(b);
  DeviceArray<float> d(16 * 8);
  ASSERT_EQ(run({}, sl_mma_half<Half>, a_device.data(), b_device.data(), d.data()), cudaSuccess);
  const std::vector<float> got = d.values();
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) {
        sum += static_cast<float>(Half::from_bits(a[row * 16 + k]) * Half::from_bits(b[column * 16 + k]));
      }
      ASSERT_EQ(got[row * 8 + column], sum) << row << ' ' << column;
    }
  }
}

TEST(TensorCore, HalfProductIsTheNaiveOne) { expect_half_product<__half>(); }

TEST(TensorCore, BfloatProductIsTheNaiveOne) { expect_half_product<__nv_bfloat16>(); }

__global__ void sl_transpose(const uint16_t* in, uint16_t* out) {
  auto& tile = cuda::shared<uint16_t[64], struct T>();
  for (unsigned i = threadIdx.x; i < 64; i += 32) tile[i] = in[i];
  __syncwarp();
  unsigned words[1];
  emulation::load_matrix(words, &tile[threadIdx.x % 8 * 8], true);
  const unsigned group = threadIdx.x / 4, pair = 2 * (threadIdx.x % 4);
  out[group * 8 + pair] = static_cast<uint16_t>(words[0]);
  out[group * 8 + pair + 1] = static_cast<uint16_t>(words[0] >> 16);
}

TEST(TensorCore, LoadMatrixTransposes) {
  std::vector<uint16_t> values(64);
  for (size_t i = 0; i < 64; ++i) values[i] = static_cast<uint16_t>(i);
  DeviceArray<uint16_t> in(values), out(64);
  ASSERT_EQ(run({}, sl_transpose, in.data(), out.data()), cudaSuccess);
  const std::vector<uint16_t> got = out.values();
  for (size_t row = 0; row < 8; ++row) {
    for (size_t column = 0; column < 8; ++column) EXPECT_EQ(got[row * 8 + column], column * 8 + row);
  }
}

// Two tiles in flight; the second is shorter than its slot and filled up with zeros.
__global__ void sl_async_copy(const uint4* in, uint4* out) {
  auto& tile = cuda::shared<uint4[64], struct T>();
  emulation::async_copy<16>(&tile[threadIdx.x], &in[threadIdx.x]);
  emulation::async_commit();
  emulation::async_copy<16>(&tile[threadIdx.x + 32], &in[threadIdx.x + 32], 8);
  emulation::async_commit();
  emulation::async_wait(1);
  __syncthreads();
  out[threadIdx.x] = tile[31 - threadIdx.x];
  emulation::async_wait(0);
  __syncthreads();
  out[threadIdx.x + 32] = tile[63 - threadIdx.x];
}

TEST(TensorCore, AsyncCopiesLandByGroup) {
  std::vector<uint4> values(64);
  for (unsigned i = 0; i < 64; ++i) values[i] = {i, i + 1, i + 2, i + 3};
  DeviceArray<uint4> in(values), out(64);
  ASSERT_EQ(run({}, sl_async_copy, in.data(), out.data()), cudaSuccess);
  const std::vector<uint4> got = out.values();
  for (unsigned i = 0; i < 32; ++i) {
    EXPECT_EQ(got[i].w, 31 - i + 3);
    EXPECT_EQ(got[i + 32].y, 63 - i + 1);
    EXPECT_EQ(got[i + 32].z, 0u);
  }
}

}  // namespace

}  // namespace silverlode::device_test

#endif
