#include <cmath>
#include <limits>

#include "ops/ivf_scan.h"
#include "tests/cuda/cuda_harness.h"
#include "tests/ivf_scan_fixture.h"

namespace silverlode::cuda {
namespace {

using Index = cpu::ScanInputs;

OpResult compare(const Index& index, int64_t k, const char* metric = "ip", bool biased = false,
                 const DeviceOptions& options = {}) {
  return expect_same<IvfScan>(entry<IvfScan>(), cpu::entry<IvfScan>(), Index::attributes(k, metric),
                              index.inputs(biased), options);
}

constexpr DeviceOptions kTensorCores = {.compute_capability = 80};
constexpr DeviceOptions kDp4a = {.compute_capability = 75};
// Small candidate buffers: scans of more rows than they hold take several rounds.
constexpr DeviceOptions kLittleMemory = {.compute_capability = 90, .sm_count = 2, .memory_bytes = 1};

// Masks of one density: `live` itself, an earlier request's, or one's own; some limits.
void draw_masks(Index& index, double density, std::mt19937& random) {
  const int64_t rows = index.ordinals.shape.dim(0);
  for (int64_t b = 0; b < index.queries.shape.dim(0); ++b) {
    const uint32_t kind = random() % 3;
    index.mask_of.values[static_cast<size_t>(b)] = static_cast<int32_t>(kind == 0   ? -1
                                                                        : kind == 1 ? random() % (b + 1)
                                                                                    : b);
    index.limits.values[static_cast<size_t>(b)] = random() % 4 == 0 ? static_cast<int32_t>(random() % 60) - 1 : 1 << 20;
    for (int64_t row = 0; row < rows; ++row) {
      const bool on = index.ordinals.values[static_cast<size_t>(row)] >= 0 &&
                      std::uniform_real_distribution<double>()(random) < density;
      Index::set(index.mask.values, b * rows + row, on);
    }
  }
}

// Some clusters per query, with repetitions.
void draw_clusters(Index& index, std::mt19937& random) {
  const auto n_clusters = static_cast<uint32_t>(index.clusters.shape.dim(2));
  for (size_t q = 0; q < index.counts.values.size(); ++q) {
    const uint32_t count = random() % (n_clusters + 1);
    index.counts.values[q] = static_cast<int32_t>(count);
    for (uint32_t i = 0; i < count; ++i) {
      index.clusters.values[q * n_clusters + i] = static_cast<int32_t>(random() % n_clusters);
    }
  }
}

const std::vector<int64_t> kSizes = {1, 10, 0, 15, 16, 17, 63, 64, 65, 128, 200, 1300};
const double kDensities[] = {0.0, 0.001, 0.1, 0.5, 0.9, 1.0};
const char* const kMetrics[] = {"ip", "cosine", "l2"};

TEST(CudaIvfScan, EveryDimensionAndVariant) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int64_t dim : {32, 64, 96, 128, 192, 256, 288, 384, 512, 1024, 3072, 4128}) {
    Index index({15, 64, 17, 300}, 3, 2, dim, random);
    draw_masks(index, 0.7, random);
    draw_clusters(index, random);
    const bool biased = random() % 2 == 0;
    const char* metric = kMetrics[random() % 3];
    for (const DeviceOptions& options : {kTensorCores, kDp4a}) {
      SCOPED_TRACE(testing::Message() << "dim " << dim << " capability " << options.compute_capability);
      compare(index, 40, metric, biased, options);
    }
  }
}

TEST(CudaIvfScan, EveryBatchDensityAndMetric) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int round = 0;
  for (int64_t batch : {1, 2, 7, 8, 9, 16, 33, 64, 70, 257}) {
    const int64_t heads = batch <= 16 && round % 2 == 0 ? 3 : 1;
    Index index(kSizes, batch, heads, batch > 64 ? 32 : 64, random);
    draw_masks(index, kDensities[round % 6], random);
    draw_clusters(index, random);
    for (int64_t k : {0, 1, 50, 3000}) {
      if (batch > 64 && k > 50) continue;
      SCOPED_TRACE(testing::Message() << "batch " << batch << " k " << k);
      compare(index, k, kMetrics[round % 3], round % 2 == 1);
    }
    ++round;
  }
}

// 1 100 queries: more than are listed at a time.
TEST(CudaIvfScan, MoreQueriesThanAListOfMembersHolds) {
  std::mt19937 random(11);
  Index index({100, 30, 64}, 100, 11, 32, random);
  draw_clusters(index, random);
  compare(index, 5);
}

TEST(CudaIvfScan, ScoresThatAreNotFinite) {
  std::mt19937 random(5);
  Index index({300, 65}, 2, 1, 64, random);
  index.row_scales.values[5] = std::numeric_limits<float>::infinity();
  index.row_scales.values[6] = -0.0f;
  index.bias.values[100] = std::nanf("");
  index.bias.values[101] = -std::numeric_limits<float>::infinity();
  for (const char* metric : kMetrics) compare(index, 400, metric, true);
}

TEST(CudaIvfScan, SaturatingVectors) {
  std::mt19937 random(6);
  for (int64_t dim : {256, 1024}) {
    Index index({200}, 2, 1, dim, random);
    for (size_t i = 0; i < index.rows.values.size(); ++i) index.rows.values[i] = i / 64 % 3 == 0 ? -128 : 127;
    for (size_t i = 0; i < index.queries.values.size(); ++i) index.queries.values[i] = i / 512 % 2 == 0 ? -128 : 127;
    compare(index, 200, "l2", true, kTensorCores);
    compare(index, 200, "l2", true, kDp4a);
  }
}

TEST(CudaIvfScan, SeveralRoundsGiveTheSame) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int64_t batch : {1, 9}) {
    Index index({9000, 300, 12000, 700}, batch, 1, 32, random);
    draw_masks(index, 0.9, random);
    for (int64_t k : {1, 100, 2500}) compare(index, k, "ip", true, kLittleMemory);
  }
}

// Equal scores everywhere (a zero query), and scores that ascend with the rows: bounds do not help, buffers overflow.
TEST(CudaIvfScan, QueriesThatOverflowTheirBuffers) {
  std::mt19937 random(12);
  Index index({20000, 15000}, 2, 1, 32, random);
  std::fill(index.queries.values.begin(), index.queries.values.begin() + 32, int8_t{0});
  for (size_t row = 0; row < index.bias.values.size(); ++row) index.bias.values[row] = static_cast<float>(row);
  for (int64_t k : {1, 1000}) {
    compare(index, k, "ip", false, kLittleMemory);
    compare(index, k, "ip", true, kLittleMemory);
  }
}

TEST(CudaIvfScan, PermutedProbesAndAnyGridGiveTheSameBytes) {
  std::mt19937 random(13);
  Index index({100, 600, 1, 64, 300}, 5, 1, 64, random);
  const std::vector<uint8_t> first = compare(index, 70).bytes();
  for (int32_t sm_count : {1, 4, 16}) {
    for (int64_t q = 0; q < 5; ++q) {
      std::shuffle(index.clusters.values.begin() + q * 5, index.clusters.values.begin() + q * 5 + 5, random);
    }
    DeviceOptions options;
    options.sm_count = sm_count;
    EXPECT_EQ(compare(index, 70, "ip", false, options).bytes(), first);
  }
}

TEST(CudaIvfScan, ManyRepeatsInAnyOrderGiveTheSameBytes) {
  std::mt19937 random(14);
  Index index({100, 600}, 3, 1, 32, random);
  expect_repeats<IvfScan>(entry<IvfScan>(), Index::attributes(30, "ip"), index.inputs(false),
                          compare(index, 30).bytes());
  Index large({9000, 4000}, 1, 1, 32, random);  // several rounds
  const std::vector<uint8_t> first = compare(large, 30, "ip", false, kLittleMemory).bytes();
  for (uint64_t turn = 0; turn < 5; ++turn) {
    change_order(turn);
    EXPECT_EQ(compare(large, 30, "ip", false, kLittleMemory).bytes(), first) << turn;
  }
  change_order(0);
}

TEST(CudaIvfScan, BadDataIsRefused) {
  std::mt19937 random(2);
  const Index good({70, 70}, 1, 1, 32, random);
  const auto code = [](const Index& index) { return compare(index, 5).status.code; };
  EXPECT_EQ(code(good), Code::kOk);
  for (int32_t bad : {-1, 2}) {
    Index index = good;
    index.clusters.values[1] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
    index.limits.values[0] = 0;  // then nothing is looked at
    EXPECT_EQ(code(index), Code::kOk) << bad;
  }
  for (int32_t bad : {-1, 3}) {
    Index index = good;
    index.counts.values[0] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  for (int32_t bad : {-2, 1}) {
    Index index = good;
    index.mask_of.values[0] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  for (int32_t bad : {-64, 1, 65, 320, 1 << 30}) {
    Index index = good;
    index.begin.values[1] = bad;
    EXPECT_EQ(code(index), Code::kInvalidArgument) << bad;
  }
  Index shorter = good;
  shorter.live = {{3}, std::vector<int64_t>(3)};
  shorter.mask = {{1, 3}, std::vector<int64_t>(3)};
  EXPECT_EQ(code(shorter), Code::kShapeMismatch);
}

}  // namespace
}  // namespace silverlode::cuda
