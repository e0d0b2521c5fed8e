// Matrix products in the shapes that over_arch uses beyond linear's: batches with strides, rows of padded length, half results.
#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

float stored(DType dtype, float value) {
  if (dtype == DType::kF32) return value;
  return dtype == DType::kF16 ? f16_to_float(float_to_f16(value)) : bf16_to_float(float_to_bf16(value));
}

// Values as they are stored, in device memory.
class DeviceFloats {
 public:
  DeviceFloats(std::vector<float> values, DType dtype)
      : tensor_(values, {static_cast<int64_t>(values.size())}, dtype), memory_(values.size() * dtype_size(dtype)) {
    memory_.upload(tensor_.view().data);
  }

  void* data() const { return memory_.data(); }
  float operator[](int64_t i) const { return tensor_.values[static_cast<size_t>(i)]; }
  std::vector<float> read() const {
    const size_t size = dtype_size(tensor_.dtype);
    std::vector<uint8_t> bytes(tensor_.values.size() * size);
    memory_.download(bytes.data());
    std::vector<float> values(tensor_.values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, bytes.data() + i * size, size);
      const uint16_t half = static_cast<uint16_t>(bits);
      values[i] = tensor_.dtype == DType::kF32   ? bits_float(bits)
                  : tensor_.dtype == DType::kF16 ? f16_to_float(half)
                                                 : bf16_to_float(half);
    }
    return values;
  }

 private:
  FloatTensor tensor_;
  DeviceMemory memory_;
};

struct Layout {
  int64_t m, n, k, ldx, ldw, ldy, batch;
  bool shared_w;
  DType dtype, y_dtype, bias_dtype;
};

void check(Gemm& gemm, const Layout& layout, bool prepare, uint32_t seed) {
  const auto [m, n, k, ldx, ldw, ldy, batch, shared_w, dtype, y_dtype, bias_dtype] = layout;
  const DeviceFloats x(random_rows(batch * m * ldx, 1, seed), dtype);
  const DeviceFloats w(random_rows((shared_w ? 1 : batch) * n * ldw, 1, seed + 1), dtype);
  const DeviceFloats bias(random_rows(batch * n, 1, seed + 2), bias_dtype);
  const DeviceFloats y(std::vector<float>(static_cast<size_t>(batch * m * ldy), 7.0f), y_dtype);
  GemmTask task;
  task.x = x.data(), task.w = w.data(), task.bias = bias.data(), task.y = y.data();
  task.m = m, task.n = n, task.k = k, task.ldx = ldx, task.ldw = ldw, task.ldy = ldy, task.batch = batch;
  task.x_stride = m * ldx, task.w_stride = shared_w ? 0 : n * ldw, task.bias_stride = n, task.y_stride = m * ldy;
  task.dtype = dtype, task.y_dtype = y_dtype, task.bias_dtype = bias_dtype;
  task.activation = Activation::kRelu;

  DeviceRun device({});
  const Runtime& state = runtime(device.context());
  if (prepare) {
    ASSERT_TRUE(gemm.prepare(state, task).ok());
  }
  const DeviceMemory workspace(gemm.workspace_bytes());
  const Status status = device.finish(gemm.run(state, task, workspace.data()));
  ASSERT_TRUE(status.ok()) << status.text;
  const std::vector<float> got = y.read();
  const double tolerance = dtype == DType::kF32 ? kFloatTolerance : kHalfTolerance;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t column = 0; column < ldy; ++column) {
        const float value = got[static_cast<size_t>((b * m + row) * ldy + column)];
        if (column >= n) {
          ASSERT_EQ(value, stored(y_dtype, 7.0f)) << "written beside the result";
          continue;
        }
        double sum = bias[b * n + column];
        for (int64_t i = 0; i < k; ++i) {
          sum += static_cast<double>(x[(b * m + row) * ldx + i]) * w[(shared_w ? 0 : b * n * ldw) + column * ldw + i];
        }
        const double expected = sum > 0 ? sum : 0;
        ASSERT_LE(std::abs(value - expected), tolerance * (1 + expected)) << "matrix " << b << ", row " << row;
      }
    }
  }
}

TEST(CudaGemm, BatchesPaddedRowsAndHalfResults) {
  constexpr DType kF32 = DType::kF32, kF16 = DType::kF16, kBF16 = DType::kBF16;
  const Layout layouts[] = {
      {5, 7, 9, 9, 9, 7, 1, false, kF32, kF32, kF32},         {17, 9, 20, 24, 24, 16, 3, false, kF32, kF32, kF32},
      {70, 40, 33, 40, 40, 40, 2, false, kF16, kF16, kF32},   {70, 40, 33, 40, 40, 48, 2, false, kF16, kF16, kF16},
      {33, 65, 64, 64, 64, 72, 3, true, kBF16, kBF16, kBF16}, {1, 8, 17, 17, 19, 8, 4, false, kBF16, kF32, kF32},
      {130, 3, 40, 40, 40, 3, 2, true, kF16, kF32, kF32}};
  uint32_t seed = 300;
  for (const auto& [name, gemm] : gemms(90)) {
    for (const Layout& layout : layouts) {
      for (bool prepare : {false, true}) {
        SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed));
        check(*gemm, layout, prepare, seed += 3);
      }
    }
  }
}

TEST(CudaGemm, TheFactorySaysWhatItMade) {
  std::string note;
  EXPECT_NE(make_gemm({}, &note), nullptr);
  EXPECT_EQ(note.rfind("cuBLASLt ", 0), 0u) << note;
}

}  // namespace
}  // namespace silverlode::cuda
