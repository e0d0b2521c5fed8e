// An open device as the plugin hands it out: a stream with what its runs need, one run at a time.
#pragma once

#include <memory>
#include <vector>

#include "backends/cuda/gemm.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/pinned_ring.h"

namespace silverlode::cuda {

// See ops/device.h for what the functions mean. The run in flight owns stream, ring and error slot; a second one at the same
// time would need its own queue.
class Queue {
 public:
  static Status open(int32_t ordinal, std::unique_ptr<Queue>& queue);
  ~Queue();

  Runtime* runtime() { return &runtime_; }

  Status begin_run();
  Status upload(void* to, const void* from_host, size_t bytes);
  Status download(void* to_host, const void* from, size_t bytes);
  Status copy(void* to, const void* from, size_t bytes);
  Status finish_run();

  Status begin_recording();
  Status end_recording(cudaGraphExec_t& executable);
  Status replay(cudaGraphExec_t executable);

  Status mark(size_t index);
  Status elapsed(size_t index, double& milliseconds);

 private:
  explicit Queue(Gpu& gpu) : gpu_(gpu) {}
  Status create();

  Gpu& gpu_;
  Stream stream_;
  PinnedRing ring_;
  PinnedBytes found_error_;      // where the device's RunError comes to when a run ends
  bool error_is_clear_ = false;  // else there is nothing in it to tell
  std::vector<Event> marks_;
  std::unique_ptr<Gemm> gemm_;
  Runtime runtime_;
};

}  // namespace silverlode::cuda
