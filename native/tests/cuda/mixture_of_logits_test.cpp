#include "tests/mixture_of_logits_fixture.h"

#include "ops/mixture_of_logits.h"
#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

using tests::MixtureCall;
using tests::MixtureCase;

constexpr DType kWeightDTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

MixtureCase random_case(std::mt19937& random, int turn) {
  MixtureCase c;
  c.batch = 1 + random() % 4;
  c.dim = 1 + random() % 40;
  c.candidates = 1 + random() % 40;
  c.n_features = turn % 3 == 0 ? 0 : 1 + random() % 9;
  c.user_components = 1 + random() % 9;
  c.item_components = 1 + random() % 9;
  c.component_dim = 1 + random() % 40;
  c.tasks = 1 + random() % 4;
  c.embeddings = turn % 2 == 0 ? DType::kI8 : DType::kF32;
  c.with_bias = random() % 3 != 0;
  c.with_cross_gate = random() % 3 != 0;
  c.missing_of_ten = static_cast<int>(random() % 11);
  c.temperature = 0.2 * static_cast<double>(1 + random() % 9);
  return c;
}

// One of each kind, and sizes around those of tiles.
std::vector<MixtureCase> cases() {
  std::vector<MixtureCase> all;
  for (DType embeddings : {DType::kI8, DType::kF16, DType::kF32}) {
    MixtureCase c;
    c.embeddings = embeddings, c.candidates = 20;
    all.push_back(c);
    c.with_bias = c.with_cross_gate = false, c.n_features = 0;
    all.push_back(c);
  }
  for (int64_t users : {8, 9, 32, 33, 70}) {
    MixtureCase c;
    c.batch = 2, c.candidates = 9, c.user_components = users, c.item_components = 2, c.component_dim = users;
    all.push_back(c);
  }
  MixtureCase c;
  c.candidates = 0;
  all.push_back(c);
  c.batch = 0, c.candidates = 3;
  all.push_back(c);
  return all;
}

OpResult compare(const MixtureCase& c, uint32_t seed, Gemm* gemm, double tolerance) {
  const MixtureCall in(c, seed);
  DeviceOptions options;
  options.gemm = gemm;
  options.compute_capability = 80;
  options.prepare = seed % 2 == 0;
  if (tolerance > 0) {
    return expect_near<MixtureOfLogits>(entry<MixtureOfLogits>(), cpu::entry<MixtureOfLogits>(), in.attributes(),
                                        in.inputs(), tolerance, options);
  }
  return expect_same<MixtureOfLogits>(entry<MixtureOfLogits>(), cpu::entry<MixtureOfLogits>(), in.attributes(),
                                      in.inputs(), options);
}

double tolerance_of(DType weights) { return weights == DType::kF32 ? kFloatTolerance : kHalfTolerance; }

TEST(CudaMixtureOfLogits, AgreesWithTheCpu) {
  for (const auto& [name, gemm] : gemms(80)) {
    for (DType weights : kWeightDTypes) {
      uint32_t seed = 100;
      for (MixtureCase c : cases()) {
        SCOPED_TRACE(std::string(name) + ", " + dtype_name(weights) + ", seed " + std::to_string(++seed));
        c.weights = weights;
        compare(c, seed, gemm.get(), tolerance_of(weights));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(CudaMixtureOfLogits, RandomMixturesAgreeWithTheCpu) {
  const uint32_t seed = 23060;
  std::mt19937 random(seed);
  for (const auto& [name, gemm] : gemms(80)) {
    for (int turn = 0; turn < 18; ++turn) {
      MixtureCase c = random_case(random, turn);
      c.weights = kWeightDTypes[turn % 3];
      SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed) + ", turn " + std::to_string(turn));
      compare(c, static_cast<uint32_t>(random()), gemm.get(), tolerance_of(c.weights));
      if (HasFailure()) return;
    }
  }
}

// With float32 and our own products, everything is computed as on the CPU.
TEST(CudaMixtureOfLogits, TiledFloat32HasTheBitsOfTheCpu) {
  const auto gemm = make_tiled_gemm({});
  uint32_t seed = 200;
  for (const MixtureCase& c : cases()) {
    SCOPED_TRACE("seed " + std::to_string(++seed));
    compare(c, seed, gemm.get(), 0);
  }
}

TEST(CudaMixtureOfLogits, SeveralSteps) {
  const auto gemm = make_tiled_gemm({});
  for (DType weights : {DType::kF32, DType::kF16}) {
    MixtureCase c;
    c.dim = 3, c.n_features = 0, c.user_components = 1, c.item_components = 3, c.component_dim = 900;
    c.weights = weights;
    c.batch = 1, c.candidates = 300;  // a request needs several steps
    compare(c, 250, gemm.get(), weights == DType::kF32 ? 0 : kHalfTolerance);
    c.batch = 5, c.candidates = 50;  // a step takes several requests, and the last fewer
    compare(c, 251, gemm.get(), weights == DType::kF32 ? 0 : kHalfTolerance);
  }
}

// Scores over a low temperature: with x and s rounded to one half the logits would be beyond the tolerance.
TEST(CudaMixtureOfLogits, HalfWeightsKeepScoresOfLowTemperatures) {
  for (const auto& [name, gemm] : gemms(80)) {
    for (DType weights : {DType::kF16, DType::kBF16}) {
      SCOPED_TRACE(std::string(name) + ", " + dtype_name(weights));
      MixtureCase c;
      c.temperature = 0.05, c.weights = weights, c.embeddings = DType::kF32;
      compare(c, 300, gemm.get(), kHalfTolerance);
    }
  }
}

// As inputs are sums of two halves, only the weights count as rounded, and they are the same on both sides.
TEST(CudaMixtureOfLogits, Float16WeightsAreAsGoodAsFloat32) {
  for (const auto& [name, gemm] : gemms(80)) {
    SCOPED_TRACE(name);
    MixtureCase c;
    c.weights = DType::kF16;
    compare(c, 301, gemm.get(), kFloatTolerance);
  }
}

TEST(CudaMixtureOfLogits, WeightsOfSeveralDtypesAreWidened) {
  const auto gemm = make_tiled_gemm({});
  MixtureCall in(MixtureCase{}, 400);
  in.item = tests::random_tensor(in.item.shape, 401, DType::kF16, 0.2f);
  in.cross_gate = tests::random_tensor(in.cross_gate.shape, 402, DType::kBF16, 0.2f);
  for (bool prepare : {false, true}) {
    DeviceOptions options;
    options.gemm = gemm.get();
    options.prepare = prepare;
    expect_same<MixtureOfLogits>(entry<MixtureOfLogits>(), cpu::entry<MixtureOfLogits>(), in.attributes(), in.inputs(),
                                 options);
  }
}

TEST(CudaMixtureOfLogits, NotANumberAndInfinityPassLikeOnTheCpu) {
  const auto gemm = make_tiled_gemm({});
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    SCOPED_TRACE(bad);
    MixtureCase c;
    c.missing_of_ten = 0;
    MixtureCall in(c, 500);
    in.user_gates.values[2] = bad;                                                  // request 0, task 0
    in.user.values[static_cast<size_t>(in.user.shape.elements() / c.batch)] = bad;  // request 1
    DeviceOptions options;
    options.gemm = gemm.get();
    const OpResult result = expect_near<MixtureOfLogits>(entry<MixtureOfLogits>(), cpu::entry<MixtureOfLogits>(),
                                                         in.attributes(), in.inputs(), kFloatTolerance, options);
    EXPECT_EQ(std::isnan(result.values<float>(0)[0]), bad != -INFINITY);
    EXPECT_FALSE(std::isnan(result.values<float>(0)[1]));
  }
}

TEST(CudaMixtureOfLogits, ComponentsOfZerosScoreZero) {
  for (const auto& [name, gemm] : gemms(80)) {
    for (DType weights : kWeightDTypes) {
      SCOPED_TRACE(std::string(name) + ", " + dtype_name(weights));
      MixtureCase c;
      c.weights = weights, c.with_bias = false;
      MixtureCall in(c, 600);
      in.item = tests::random_tensor(in.item.shape, 601, weights, 0.0f);
      DeviceOptions options;
      options.gemm = gemm.get();
      options.compute_capability = 80;
      const OpResult result =
          run_cuda<MixtureOfLogits>(entry<MixtureOfLogits>(), in.attributes(), in.inputs(), options);
      ASSERT_TRUE(result.status.ok()) << result.status.text;
      for (float logit : result.values<float>(0)) EXPECT_EQ(logit, 0);
    }
  }
}

TEST(CudaMixtureOfLogits, RefusesBadIndices) {
  const auto gemm = make_tiled_gemm({});
  DeviceOptions options;
  options.gemm = gemm.get();
  for (int fault = 0; fault < 5; ++fault) {
    MixtureCall in(MixtureCase{}, 700);
    in.index[100] = in.feature_index[100] = 0;
    if (fault == 0) in.index[100] = 40;
    if (fault == 1) in.index[100] = -2;
    if (fault == 2) in.feature_index[100] = 40;
    if (fault == 3) in.feature_index[100] = -1;
    if (fault == 4) in.index[100] = -1, in.feature_index[100] = 40;  // not read
    const OpResult result = expect_near<MixtureOfLogits>(entry<MixtureOfLogits>(), cpu::entry<MixtureOfLogits>(),
                                                         in.attributes(), in.inputs(), kFloatTolerance, options);
    EXPECT_EQ(result.status.code, fault == 4 ? Code::kOk : Code::kInvalidArgument) << fault;
  }
}

TEST(CudaMixtureOfLogits, StopsWhenCancelled) {
  const auto gemm = make_tiled_gemm({});
  const MixtureCall in(MixtureCase{}, 800);
  const uint32_t cancel = 1;
  DeviceOptions options;
  options.gemm = gemm.get();
  options.cancel = &cancel;
  const OpResult result = run_cuda<MixtureOfLogits>(entry<MixtureOfLogits>(), in.attributes(), in.inputs(), options);
  EXPECT_EQ(result.status.code, Code::kAborted);
}

TEST(CudaMixtureOfLogits, WorkspaceNeverShrinksWhenADimensionGrows) {
  const auto gemm = make_tiled_gemm({});
  DeviceOptions options;
  options.gemm = gemm.get();
  DeviceRun device(options);
  MixtureOfLogits::Args args = {};
  args.dim = 64, args.n_features = 3, args.tasks = 2;
  args.user_components = 8, args.item_components = 4, args.component_dim = 32;
  args.item.dtype = args.item_gate.dtype = args.cross_gate.dtype = DType::kF16;
  for (int64_t batch : {1, 2, 64, 4096}) {
    size_t before = 0;
    for (int64_t candidates : {1, 2, 100, 5000, 70000, 200000}) {
      args.batch = batch, args.candidates = candidates;
      const size_t bytes = entry<MixtureOfLogits>().workspace(device.context(), args);
      EXPECT_GE(bytes, before);
      before = bytes;
      args.batch = 2 * batch;
      EXPECT_GE(entry<MixtureOfLogits>().workspace(device.context(), args), bytes);
    }
  }
}

TEST(CudaMixtureOfLogits, Repeats) {
  MixtureCase c;
  c.batch = 2, c.candidates = 7, c.weights = DType::kF16;
  const MixtureCall in(c, 900);
  for (const auto& [name, gemm] : gemms(80)) {
    SCOPED_TRACE(name);
    DeviceOptions options;
    options.gemm = gemm.get();
    expect_repeats<MixtureOfLogits>(entry<MixtureOfLogits>(), in.attributes(), in.inputs(), options);
  }
}

}  // namespace
}  // namespace silverlode::cuda
