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

double measure_host(Device& device) {
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

Status copy_passes(Device& device, void* to, const void* from) {
  Status status = device.begin_run();
  for (size_t i = 0; i <= kPasses && status.ok(); ++i) {
    status = device.mark(i);
    if (status.ok() && i < kPasses) status = device.copy(to, from, static_cast<size_t>(kBytes));
  }
  const Status finished = device.finish_run();
  return status.ok() ? finished : status;
}

Status measure_gpu(Device& device, double& best) {
  std::shared_ptr<void> from;
  std::shared_ptr<void> to;
  if (Status status = device.allocate(static_cast<size_t>(kBytes), from); !status.ok()) return status;
  if (Status status = device.allocate(static_cast<size_t>(kBytes), to); !status.ok()) return status;
  if (Status status = copy_passes(device, to.get(), from.get()); !status.ok()) return status;
  for (size_t i = 0; i < kPasses; ++i) {
    double milliseconds = 0;
    if (Status status = device.elapsed(i, milliseconds); !status.ok()) return status;
    if (milliseconds > 0) best = std::max(best, 2e3 * static_cast<double>(kBytes) / milliseconds);
  }
  return ok_status();
}

}  // namespace

Status measure_read_bandwidth(Device& device, double& bytes_per_second) {
  bytes_per_second = 0;
  if (device.place() != kHost) return measure_gpu(device, bytes_per_second);
  bytes_per_second = measure_host(device);
  return ok_status();
}

}  // namespace silverlode
