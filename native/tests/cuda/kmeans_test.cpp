// The clustering ops: the device's results are the CPU's, bit for bit.
#include "ops/assign_clusters.h"
#include "ops/balance_clusters.h"
#include "ops/kmeans_seed.h"
#include "ops/update_centroids.h"
#include "tests/cuda/dense_cuda_harness.h"

namespace silverlode::cuda {
namespace {

using tests::coarse_rows;

Attributes integer_attributes(std::vector<std::pair<const char*, int64_t>> values) {
  Attributes attributes;
  for (const auto& [name, value] : values) attributes.values[name] = value;
  return attributes;
}

struct Watcher {
  std::vector<double> seen;
  static void note(void* self, double done) { static_cast<Watcher*>(self)->seen.push_back(done); }
};

DeviceOptions watched(Watcher& watcher, const uint32_t* cancel = nullptr) {
  DeviceOptions options;
  options.progress = Watcher::note;
  options.progress_user = &watcher;
  options.cancel = cancel;
  return options;
}

TEST(CudaAssignClusters, EqualsTheCpu) {
  uint32_t seed = 500;
  for (int64_t rows : {0, 1, 63, 130}) {
    for (int64_t clusters : {1, 3, 64, 65, 150}) {
      for (int64_t dim : {1, 15, 33}) {
        for (int64_t nearest : {1, 2, 16}) {
          SCOPED_TRACE("seed " + std::to_string(++seed));
          // Coarse values: many exact ties.
          const auto values = seed % 2 == 0 ? coarse_rows : random_rows;
          const FloatTensor x(values(rows, dim, seed), {rows, dim});
          const FloatTensor centroids(values(clusters, dim, seed + 1), {clusters, dim});
          expect_same<AssignClusters>(entry<AssignClusters>(), cpu::entry<AssignClusters>(),
                                      integer_attributes({{"nearest", nearest}}), {x.view(), centroids.view()});
        }
      }
    }
  }
}

TEST(CudaAssignClusters, ScoresThatOverflowCountAsMinusInfinity) {
  std::vector<float> values = {3e38f, 3e38f, 1, 1, -3e38f, 3e38f};
  const FloatTensor x(values, {3, 2}), centroids({3e38f, -3e38f, 0, 0, 3e38f, 3e38f}, {3, 2});
  for (int64_t nearest : {1, 3}) {
    expect_same<AssignClusters>(entry<AssignClusters>(), cpu::entry<AssignClusters>(),
                                integer_attributes({{"nearest", nearest}}), {x.view(), centroids.view()});
  }
}

TEST(CudaAssignClusters, ReportsAndStops) {
  const FloatTensor x = random_tensor({90, 5}, 1), centroids = random_tensor({7, 5}, 2);
  const Attributes attributes = integer_attributes({{"nearest", 1}});
  Watcher watcher;
  EXPECT_TRUE(
      run_cuda<AssignClusters>(entry<AssignClusters>(), attributes, {x.view(), centroids.view()}, watched(watcher))
          .status.ok());
  ASSERT_FALSE(watcher.seen.empty());
  EXPECT_EQ(watcher.seen.back(), 1.0);
  const uint32_t cancel = 1;
  EXPECT_EQ(run_cuda<AssignClusters>(entry<AssignClusters>(), attributes, {x.view(), centroids.view()},
                                     watched(watcher, &cancel))
                .status.code,
            Code::kAborted);
}

TEST(CudaAssignClusters, Repeats) {
  const FloatTensor x(coarse_rows(70, 4, 1), {70, 4}), centroids(coarse_rows(9, 4, 2), {9, 4});
  for (int64_t nearest : {1, 3}) {
    expect_repeats<AssignClusters>(entry<AssignClusters>(), integer_attributes({{"nearest", nearest}}),
                                   {x.view(), centroids.view()});
  }
}

TEST(CudaUpdateCentroids, EqualsTheCpu) {
  uint32_t seed = 600;
  for (int64_t rows : {1, 5, 300, 5000}) {
    for (int64_t clusters : {1, 4, 70, 400}) {
      for (int64_t dim : {1, 7, 130}) {
        SCOPED_TRACE("seed " + std::to_string(++seed));
        std::mt19937 random(seed);
        const FloatTensor x = random_tensor({rows, dim}, seed);
        std::vector<int32_t> assigned;
        // Some clusters stay empty, and some are much larger than others.
        for (int64_t row = 0; row < rows; ++row) {
          const uint32_t limit = static_cast<uint32_t>(random() % 2 == 0 ? clusters : (clusters + 3) / 4);
          assigned.push_back(static_cast<int32_t>(random() % limit));
        }
        expect_same<UpdateCentroids>(entry<UpdateCentroids>(), cpu::entry<UpdateCentroids>(),
                                     integer_attributes({{"clusters", clusters}}),
                                     {x.view(), view_of(assigned, {rows})});
      }
    }
  }
}

TEST(CudaUpdateCentroids, RefusesClustersOutOfRange) {
  const FloatTensor x = random_tensor({3, 2}, 1);
  for (int32_t bad : {-1, 4}) {
    const std::vector<int32_t> assigned = {0, bad, 1};
    const OpResult result =
        expect_same<UpdateCentroids>(entry<UpdateCentroids>(), cpu::entry<UpdateCentroids>(),
                                     integer_attributes({{"clusters", 4}}), {x.view(), view_of(assigned, {3})});
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
  }
}

TEST(CudaUpdateCentroids, Repeats) {
  const FloatTensor x = random_tensor({60, 3}, 1);
  std::vector<int32_t> assigned;
  for (int32_t row = 0; row < 60; ++row) assigned.push_back(row * row % 7);
  expect_repeats<UpdateCentroids>(entry<UpdateCentroids>(), integer_attributes({{"clusters", 9}}),
                                  {x.view(), view_of(assigned, {60})});
}

TEST(CudaKmeansSeed, ChoosesTheRowsOfTheCpu) {
  uint32_t seed = 700;
  for (int64_t rows : {1, 2, 100, 1500}) {
    for (int64_t clusters : {1, 2, 33, 100}) {
      for (int64_t dim : {1, 8, 40}) {
        if (clusters > rows) continue;
        SCOPED_TRACE("seed " + std::to_string(++seed));
        // Coarse rows of few dimensions have fewer distinct values than there are clusters.
        const auto values = seed % 2 == 0 ? coarse_rows : random_rows;
        const FloatTensor x(values(rows, dim, seed), {rows, dim});
        expect_same<KmeansSeed>(entry<KmeansSeed>(), cpu::entry<KmeansSeed>(),
                                integer_attributes({{"clusters", clusters}, {"seed", seed}}), {x.view()});
      }
    }
  }
}

TEST(CudaKmeansSeed, ReportsAndStops) {
  const FloatTensor x = random_tensor({200, 5}, 1);
  const Attributes attributes = integer_attributes({{"clusters", 90}, {"seed", 1}});
  Watcher watcher;
  EXPECT_TRUE(run_cuda<KmeansSeed>(entry<KmeansSeed>(), attributes, {x.view()}, watched(watcher)).status.ok());
  ASSERT_FALSE(watcher.seen.empty());
  EXPECT_EQ(watcher.seen.back(), 1.0);
  const uint32_t cancel = 1;
  EXPECT_EQ(run_cuda<KmeansSeed>(entry<KmeansSeed>(), attributes, {x.view()}, watched(watcher, &cancel)).status.code,
            Code::kAborted);
}

TEST(CudaKmeansSeed, Repeats) {
  const FloatTensor x = random_tensor({40, 3}, 1);
  expect_repeats<KmeansSeed>(entry<KmeansSeed>(), integer_attributes({{"clusters", 5}, {"seed", 3}}), {x.view()});
}

// Choices and scores as assign_clusters gives them: distinct clusters, descending scores, sometimes fewer choices.
struct Problem {
  int64_t rows, choices, clusters, cap;
  std::vector<int32_t> nearest;
  std::vector<float> scores;

  Problem(int64_t n_rows, int64_t n_choices, int64_t n_clusters, int64_t most, bool skewed, uint32_t seed)
      : rows(n_rows), choices(n_choices), clusters(n_clusters), cap(most) {
    std::mt19937 random(seed);
    for (int64_t row = 0; row < rows; ++row) {
      float score = 8;
      const uint32_t spread = static_cast<uint32_t>(skewed ? (clusters + 3) / 4 : clusters);
      const int32_t first = static_cast<int32_t>(random() % spread);
      const int64_t given =
          random() % 8 == 0 ? static_cast<int64_t>(random() % static_cast<uint32_t>(choices + 1)) : choices;
      for (int64_t choice = 0; choice < choices; ++choice) {
        const bool exists = choice < given && choice < clusters;
        nearest.push_back(exists ? static_cast<int32_t>((first + choice) % clusters) : -1);
        score -= static_cast<float>(random() % 4) / 2;  // losses tie often
        scores.push_back(exists ? score : -INFINITY);
      }
    }
  }

  Attributes attributes() const { return integer_attributes({{"clusters", clusters}, {"cap", cap}}); }
  std::vector<TensorView> inputs() const {
    return {view_of(nearest, {rows, choices}), view_of(scores, {rows, choices})};
  }
};

TEST(CudaBalanceClusters, EqualsTheCpu) {
  uint32_t seed = 800;
  for (int64_t rows : {1, 30, 700}) {
    for (int64_t choices : {1, 2, 5}) {
      for (int64_t clusters : {1, 2, 13, 60}) {
        for (int64_t slack : {0, 1, 20}) {
          for (bool skewed : {false, true}) {
            SCOPED_TRACE("seed " + std::to_string(++seed));
            const Problem problem(rows, choices, clusters, (rows + clusters - 1) / clusters + slack, skewed, seed);
            expect_same<BalanceClusters>(entry<BalanceClusters>(), cpu::entry<BalanceClusters>(), problem.attributes(),
                                         problem.inputs());
          }
        }
      }
    }
  }
}

TEST(CudaBalanceClusters, RefusesChoicesOutOfRangeAndStops) {
  for (int32_t bad : {-2, 5}) {
    Problem problem(10, 2, 5, 3, false, 1);
    problem.nearest[7] = bad;
    const OpResult result = expect_same<BalanceClusters>(entry<BalanceClusters>(), cpu::entry<BalanceClusters>(),
                                                         problem.attributes(), problem.inputs());
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
  }
  const Problem problem(10, 2, 5, 3, false, 1);
  const uint32_t cancel = 1;
  DeviceOptions options;
  options.cancel = &cancel;
  EXPECT_EQ(
      run_cuda<BalanceClusters>(entry<BalanceClusters>(), problem.attributes(), problem.inputs(), options).status.code,
      Code::kAborted);
}

TEST(CudaBalanceClusters, Repeats) {
  const Problem problem(40, 2, 5, 8, true, 2);
  expect_repeats<BalanceClusters>(entry<BalanceClusters>(), problem.attributes(), problem.inputs());
}

}  // namespace
}  // namespace silverlode::cuda
