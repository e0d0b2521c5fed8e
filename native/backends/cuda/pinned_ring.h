// Page-locked memory through which host bytes go to and come from the GPU while the caller's thread goes on.
#pragma once

#include <array>
#include <vector>

#include "backends/cuda/handles.h"
#include "core/status.h"

namespace silverlode::cuda {

// Small copies share a slot; large ones go through the slots in turn, so that copying into one overlaps the transfer of
// another. Only when all slots are in flight does a copy wait for the oldest. Used by one thread, with one stream.
class PinnedRing {
 public:
  Status open(cudaStream_t stream);

  // `from_host` may be re-used when this returns, unless it is page-locked itself and at least kDirectBytes long: then it is
  // read by the GPU, until the stream is done.
  Status upload(void* to, const void* from_host, size_t bytes);
  // `to_host` is filled at the latest by deliver().
  Status download(void* to_host, const void* from, size_t bytes);
  // Once the stream is done: hands out what it brought. After an error: forgets it.
  void deliver(bool keep);

 private:
  static constexpr size_t kSlots = 4;
  static constexpr size_t kSlotBytes = size_t{2} << 20;
  static constexpr size_t kDirectBytes = size_t{64} << 10;
  static constexpr size_t kAlignment = 64;

  struct Delivery {
    void* to;
    const void* from;
    size_t bytes;
  };
  struct Slot {
    uint8_t* memory = nullptr;
    size_t used = 0;
    bool in_flight = false;
    Event done;
    std::vector<Delivery> deliveries;
  };

  // Up to `wanted` bytes of the current slot, or of the next one when it is full.
  Status reserve(size_t wanted, uint8_t*& memory, size_t& granted);
  Status next_slot();
  static void deliver(Slot& slot, bool keep);

  cudaStream_t stream_ = nullptr;
  PinnedBytes memory_;
  std::array<Slot, kSlots> slots_;
  size_t current_ = 0;
};

}  // namespace silverlode::cuda
