#include "ops/over_arch.h"

#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

// A network and its inputs, all random.
struct Network {
  int64_t batch = 2, heads = 1, dim = 8, items = 30, features = 0, candidates = 5;
  std::vector<int64_t> widths = {16, 3};  // of the layers
  std::vector<DType> dtypes = {DType::kF32, DType::kF32};
  DType embedding_dtype = DType::kI8;
  bool missing = true;
  bool biases = true;
  const char* activation = "relu";
};

class Fixture {
 public:
  Fixture(const Network& net, uint32_t seed)
      : net_(net),
        user_(random_tensor({net.batch, net.heads, net.dim}, seed + 1)),
        embeddings_(random_tensor({net.items, net.dim}, seed + 2,
                                  net.embedding_dtype == DType::kI8 ? DType::kF32 : net.embedding_dtype)),
        scales_(random_tensor({net.items}, seed + 3, DType::kF32, 0.01f)),
        features_(random_tensor({net.items + 2, net.features}, seed + 4)) {
    std::mt19937 random(seed);
    const int64_t pitch = (net.dim + 31) / 32 * 32;
    for (int64_t i = 0; i < net.items * pitch; ++i) codes_.push_back(static_cast<int8_t>(random() % 255 - 127));
    for (int64_t i = 0; i < net.batch * net.candidates; ++i) {
      const bool missing = net.missing && random() % 4 == 0;
      index_.push_back(missing ? -1 : static_cast<int32_t>(random() % static_cast<uint32_t>(net.items)));
      feature_index_.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(net.items + 2)));
    }
    int64_t in = 2 * net.heads * net.dim + net.dim + net.features;
    for (size_t layer = 0; layer < net.widths.size(); ++layer) {
      const float scale = 1 / std::sqrt(static_cast<float>(in));
      weights_.push_back(
          random_tensor({net.widths[layer], in}, seed + 10 + static_cast<uint32_t>(layer), net.dtypes[layer], scale));
      biases_.push_back(random_tensor({net.widths[layer]}, seed + 20 + static_cast<uint32_t>(layer)));
      in = net.widths[layer];
    }
  }

  std::vector<TensorView> inputs() const {
    const int64_t pitch = (net_.dim + 31) / 32 * 32;
    const bool int8 = net_.embedding_dtype == DType::kI8;
    const TensorView codes = {const_cast<int8_t*>(codes_.data()), DType::kI8, {net_.items, pitch}};
    std::vector<TensorView> all = {user_.view(), int8 ? codes : embeddings_.view(),
                                   int8 ? scales_.view() : TensorView{},
                                   view_of(index_, {net_.batch, net_.candidates})};
    if (net_.features > 0) {
      all.push_back(features_.view());
      all.push_back(view_of(feature_index_, {net_.batch, net_.candidates}));
    } else {
      all.resize(6);
    }
    for (size_t layer = 0; layer < weights_.size(); ++layer) {
      all.push_back(weights_[layer].view());
      all.push_back(net_.biases ? biases_[layer].view() : TensorView{});
    }
    return all;
  }
  Attributes attributes() const { return text_attribute("activation", net_.activation); }

  std::vector<int32_t> index_, feature_index_;

 private:
  Network net_;
  FloatTensor user_, embeddings_, scales_, features_;
  std::vector<int8_t> codes_;
  std::vector<FloatTensor> weights_, biases_;
};

std::vector<Network> networks() {
  constexpr DType kF32 = DType::kF32, kF16 = DType::kF16, kBF16 = DType::kBF16;
  std::vector<Network> all;
  for (DType embedding : {DType::kI8, kF16, kF32}) {
    Network small;
    small.embedding_dtype = embedding;
    all.push_back(small);
    Network odd = small;
    odd.batch = 3, odd.heads = 2, odd.dim = 13, odd.features = 3, odd.candidates = 11;
    odd.widths = {17, 9, 2};
    for (DType dtype : {kF32, kF16, kBF16}) {
      odd.dtypes = {dtype, dtype, dtype};
      all.push_back(odd);
    }
    odd.dtypes = {kF16, kBF16, kF32};
    odd.activation = "gelu";
    all.push_back(odd);
  }
  Network one_layer;
  one_layer.widths = {4}, one_layer.batch = 3, one_layer.biases = false;
  all.push_back(one_layer);
  one_layer.dtypes = {kF16};
  all.push_back(one_layer);
  Network empty;
  empty.candidates = 0;
  all.push_back(empty);
  Network wide;  // a request needs several steps
  wide.widths = {900, 5, 1}, wide.dtypes = {kF32, kF32, kF32}, wide.candidates = 400, wide.batch = 1;
  all.push_back(wide);
  wide.batch = 6, wide.candidates = 70;  // a step takes several requests, and the last fewer
  all.push_back(wide);
  return all;
}

double tolerance_of(const Network& net) { return net.dtypes[0] == DType::kF32 ? kFloatTolerance : kHalfTolerance; }

TEST(CudaOverArch, AgreesWithTheCpu) {
  uint32_t seed = 1000;
  for (const auto& [name, gemm] : gemms(80)) {
    for (const Network& net : networks()) {
      SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed += 100));
      const Fixture fixture(net, seed);
      DeviceOptions options;
      options.gemm = gemm.get();
      options.compute_capability = 80;
      options.prepare = seed % 200 == 0;
      expect_near<OverArch>(entry<OverArch>(), cpu::entry<OverArch>(), fixture.attributes(), fixture.inputs(),
                            tolerance_of(net), options);
      if (HasFailure()) return;
    }
  }
}

// With float32 weights and our own products even the folded network has the CPU's bits, whose tests compare it with the
// unfolded one.
TEST(CudaOverArch, TiledFloat32HasTheBitsOfTheCpu) {
  uint32_t seed = 2000;
  const auto gemm = make_tiled_gemm({});
  for (const Network& net : networks()) {
    if (std::count(net.dtypes.begin(), net.dtypes.end(), DType::kF32) != static_cast<int64_t>(net.dtypes.size()))
      continue;
    SCOPED_TRACE("seed " + std::to_string(seed += 100));
    const Fixture fixture(net, seed);
    DeviceOptions options;
    options.gemm = gemm.get();
    options.prepare = seed % 200 == 0;
    expect_same<OverArch>(entry<OverArch>(), cpu::entry<OverArch>(), fixture.attributes(), fixture.inputs(), options);
  }
}

TEST(CudaOverArch, RefusesBadIndices) {
  const auto gemm = make_tiled_gemm({});
  Network net;
  net.features = 2, net.missing = false;
  DeviceOptions options;
  options.gemm = gemm.get();
  for (int fault = 0; fault < 5; ++fault) {
    Fixture fixture(net, 7);
    if (fault == 0) fixture.index_[3] = -2;
    if (fault == 1) fixture.index_[3] = 30;
    if (fault == 2) fixture.feature_index_[4] = -1;
    if (fault == 3) fixture.feature_index_[4] = 32;
    if (fault == 4) fixture.index_[4] = -1, fixture.feature_index_[4] = 32;  // not read
    const OpResult result = expect_near<OverArch>(entry<OverArch>(), cpu::entry<OverArch>(), fixture.attributes(),
                                                  fixture.inputs(), kFloatTolerance, options);
    EXPECT_EQ(result.status.code, fault == 4 ? Code::kOk : Code::kInvalidArgument) << fault;
  }
}

TEST(CudaOverArch, StopsWhenCancelled) {
  const auto gemm = make_tiled_gemm({});
  const Fixture fixture({}, 8);
  const uint32_t cancel = 1;
  DeviceOptions options;
  options.gemm = gemm.get();
  options.cancel = &cancel;
  const OpResult result = run_cuda<OverArch>(entry<OverArch>(), fixture.attributes(), fixture.inputs(), options);
  EXPECT_EQ(result.status.code, Code::kAborted);
}

TEST(CudaOverArch, WorkspaceNeverShrinksWhenADimensionGrows) {
  const auto gemm = make_tiled_gemm({});
  DeviceOptions options;
  options.gemm = gemm.get();
  DeviceRun device(options);
  OverArch::Args args = {};
  args.heads = 1, args.dim = 64, args.n_layers = 2;
  args.layers[0] = {nullptr, nullptr, DType::kF16, 192, 128};
  args.layers[1] = {nullptr, nullptr, DType::kF16, 128, 4};
  for (int64_t batch : {1, 2, 64, 4096}) {
    size_t before = 0;
    for (int64_t candidates : {1, 2, 100, 5000, 70000, 200000}) {
      args.batch = batch, args.candidates = candidates;
      const size_t bytes = entry<OverArch>().workspace(device.context(), args);
      EXPECT_GE(bytes, before);
      before = bytes;
      args.batch = 2 * batch;
      EXPECT_GE(entry<OverArch>().workspace(device.context(), args), bytes);
    }
  }
}

TEST(CudaOverArch, Repeats) {
  Network net;
  net.features = 1, net.dtypes = {DType::kF16, DType::kF16};
  const Fixture fixture(net, 9);
  for (const auto& [name, gemm] : gemms(80)) {
    SCOPED_TRACE(name);
    DeviceOptions options;
    options.gemm = gemm.get();
    expect_repeats<OverArch>(entry<OverArch>(), fixture.attributes(), fixture.inputs(), options);
  }
}

}  // namespace
}  // namespace silverlode::cuda
