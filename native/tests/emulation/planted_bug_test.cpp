// The emulation finds what it claims to find. Each build finds its own kinds of defects: divergence in every build, what
// leaves an array with AddressSanitizer, alignment with UBSan, races and uninitialised reads with the checker.
#include "tests/emulation/planted_bug.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "emulation/settings.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

struct Expected {
  const char* bug;
  const char* report;  // regular expression on what is printed
};

cudaError_t launch_bug(const char* name) {
  const PlantedBug* bug = find_planted_bug(name);
  if (bug == nullptr) return cudaErrorInvalidDeviceFunction;
  DeviceArray<uint32_t> out(std::vector<uint32_t>(64, 0));
  return bug->launch(out.data());
}

// Runs the bug and checks that the launch fails with a report. The device is as new afterwards.
void expect_found(const Expected& expected, cudaError_t error = cudaErrorLaunchFailure) {
  testing::internal::CaptureStderr();
  const cudaError_t got = launch_bug(expected.bug);
  const std::string report = testing::internal::GetCapturedStderr();
  cudaDeviceReset();
  EXPECT_EQ(got, error) << expected.bug;
  EXPECT_TRUE(testing::internal::RE::FullMatch("\n" + report, std::string("(.|\n)*(") + expected.report + ")(.|\n)*"))
      << expected.bug << ": " << report;
}

TEST(PlantedBug, ThreadsThatDoNotMeet) {
  expect_found({"divergent barrier", "divergence: a thread exits while 32 thread"});
  expect_found({"two barriers", "divergence: threads of one block wait in different barriers"});
  expect_found({"barrier after exit", "divergence: .*(have exited|exits while)"});
  expect_found({"shuffle after exit", "mask ffffffff names lanes that have exited \\(80000000\\)"});
  expect_found({"mask without caller", "calling lane is not in mask 0000ffff"});
  expect_found({"different operations", "lanes of mask ffffffff are in different operations"});
  expect_found({"deadlock", "deadlock: no thread"});
  expect_found({"trap", "trap: .*thread \\(40,0,0\\)"});
  expect_found({"no dynamic memory", "launched with none"});
}

TEST(PlantedBug, ReportsSayWhereThreadsWait) {
  expect_found({"divergent barrier", "threads 0..31: in barrier __syncthreads at [^ ]*planted_bug.cu:[0-9]+"});
  expect_found({"deadlock", "in __syncwarp at [^ ]*planted_bug.cu:[0-9]+ mask 0010ffff"});
}

TEST(PlantedBug, EndlessSpin) { expect_found({"endless spin", "deadlock: the threads of the grid only spin"}); }

TEST(PlantedBug, FaultStaysUntilReset) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(launch_bug("trap"), cudaErrorLaunchFailure);
  testing::internal::GetCapturedStderr();
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  cudaDeviceReset();
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&memory, 16), cudaSuccess);
  cudaFree(memory);
}

TEST(PlantedBugDeathTest, FaultMayEndTheProcess) {
  EXPECT_DEATH(
      {
        emulation::reset(emulation::parse_settings("on_fault=abort"));
        launch_bug("trap");
      },
      "trap");
}

#ifdef SILVERLODE_CHECKER

TEST(PlantedBug, CheckerFindsBounds) {
  const char* const kReport = "out of bounds: write of 4 byte";
  expect_found({"global bounds", kReport}, cudaErrorIllegalAddress);
  expect_found({"shared bounds", "byte 256 of 256 of shared memory"}, cudaErrorIllegalAddress);
  expect_found({"dynamic bounds", "dynamic shared memory"}, cudaErrorIllegalAddress);
  expect_found({"host pointer", "host memory: read of 4 byte"});
}

TEST(PlantedBug, CheckerFindsRaces) {
  for (const char* order : {"order=forward", "order=reverse", "order=rand:3"}) {
    emulation::reset(emulation::parse_settings(order));
    for (const char* bug : {"shared race", "warp race", "write after read race", "block race", "missing fence"}) {
      expect_found({bug, "race: .*(.|\n)*against block"});
    }
  }
  emulation::reset({});
}

TEST(PlantedBug, CheckerFindsUninitialisedReads) {
  for (const char* bug : {"uninitialised shared", "uninitialised device", "missing wait"}) {
    expect_found({bug, "uninitialised: read of 4 byte"});
  }
}

#endif

#ifdef __SANITIZE_ADDRESS__

TEST(PlantedBugDeathTest, SanitizersFindBounds) {
  EXPECT_DEATH(launch_bug("global bounds"),
               "in a kernel, block \\(0,0,0\\) thread \\(63,0,0\\)(.|\n)*heap-buffer-overflow");
  EXPECT_DEATH(launch_bug("shared bounds"), "use-after-poison");
  EXPECT_DEATH(launch_bug("dynamic bounds"), "use-after-poison");
  EXPECT_DEATH(launch_bug("misaligned"), "misaligned address");
}

TEST(PlantedBugDeathTest, SanitizersGuardDeviceMemoryFromTheHost) {
  EXPECT_DEATH(
      {
        DeviceArray<uint32_t> out(std::vector<uint32_t>(64, 7));
        volatile uint32_t* word = out.data();
        std::exit(static_cast<int>(*word));
      },
      "use-after-poison");
}

#endif

}  // namespace

}  // namespace silverlode::device_test
