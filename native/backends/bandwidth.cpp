#include "backends/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "core/aligned.h"

namespace silverlode {

namespace {

constexpr int64_t kBytes = 128 << 20;
constexpr int64_t kTaskBytes = 1 << 20;
constexpr int32_t kPasses = 5;

struct Pass {
  const uint64_t* words;
  std::vector<uint64_t> sums;  // one per task, so that no sum can be optimised away
};

void sum_task(void* self, int64_t task) {
  Pass& pass = *static_cast<Pass*>(self);
  const int64_t words = kTaskBytes / static_cast<int64_t>(sizeof(uint64_t));
  const uint64_t* begin = pass.words + task * words;
  uint64_t sum = 0;
  for (int64_t i = 0; i < words; ++i) sum += begin[i];
  pass.sums[static_cast<size_t>(task)] += sum;
}

}  // namespace

double measure_read_bandwidth(Device& device) {
  const AlignedMemory memory = allocate_aligned(static_cast<size_t>(kBytes));
  if (!memory) return 0;
  std::memset(memory.get(), 1, static_cast<size_t>(kBytes));
  const int64_t tasks = kBytes / kTaskBytes;
  Pass pass{static_cast<const uint64_t*>(memory.get()), std::vector<uint64_t>(static_cast<size_t>(tasks))};
  double best = 0;
  for (int32_t i = 0; i < kPasses; ++i) {
    const auto start = std::chrono::steady_clock::now();
    device.parallel_for(tasks, sum_task, &pass);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(kBytes) / elapsed.count());
  }
  return best;
}

}  // namespace silverlode
