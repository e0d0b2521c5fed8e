#include "program/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace silverlode {
namespace {

TEST(Executor, ACallerRunsAfterWhatWasSubmittedBeforeAndAlone) {
  Executor executor;
  std::vector<int> order;  // guarded by the executor: one job at a time
  for (int i = 0; i < 100; ++i) executor.submit([&, i] { order.push_back(i); });
  std::thread::id here;
  executor.run_here([&] {
    here = std::this_thread::get_id();
    order.push_back(100);
  });
  EXPECT_EQ(here, std::this_thread::get_id());
  ASSERT_EQ(order.size(), 101u);
  for (int i = 0; i <= 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Executor, ThreadsThatSubmitAndCallNeverRunAtOnce) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  int64_t done = 0;  // guarded by the executor
  const auto job = [&] {
    const int now = ++inside;
    if (now > most) most = now;
    ++done;
    --inside;
  };
  {
    Executor executor;
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&, t] {
        for (int i = 0; i < 2000; ++i) {
          if ((i + t) % 2 == 0) {
            executor.submit(job);
          } else {
            executor.run_here(job);
          }
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_EQ(most, 1);
  EXPECT_EQ(done, 8000);
}

}  // namespace
}  // namespace silverlode
