#include "backends/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace silverlode::cpu {
namespace {

TEST(ThreadPool, EveryTaskRunsOnce) {
  for (int32_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
      std::atomic<bool> in_range{true};
      pool.parallel_for(tasks, [&](int64_t task, int32_t worker) {
        ++runs[static_cast<size_t>(task)];
        if (worker < 0 || worker >= threads) in_range = false;
      });
      for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
      EXPECT_TRUE(in_range);
    }
  }
}

TEST(ThreadPool, ManySmallRoundsNeitherHangNorLoseWork) {
  ThreadPool pool(4);
  int64_t sum = 0;
  for (int round = 0; round < 20000; ++round) {
    std::atomic<int64_t> done{0};
    pool.parallel_for(1 + round % 5, [&](int64_t task, int32_t) { done += task + 1; });
    sum += done;
  }
  EXPECT_EQ(sum, 4000 * (1 + 3 + 6 + 10 + 15));
}

TEST(ThreadPool, OddCountsStillWork) {
  for (int32_t threads : {-1, 0}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), 1);
  }
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), static_cast<int32_t>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace silverlode::cpu
