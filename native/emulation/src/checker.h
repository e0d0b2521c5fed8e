// Finds races by CUDA's own rules of order, accesses outside allocations and to host memory, and reads of memory that nothing
// has written. Kernels are compiled with -fsanitize=thread but libtsan is not linked: the calls of the compiler end here
// (checker_calls.cpp). The findings do not depend on the schedule: two accesses race if no barrier, warp operation or
// hand-over by fence and atomic orders them, whichever came first.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "emulation/src/observer.h"

namespace silverlode::emulation {

// What each lane of a warp knows of each: how many of its warp operations lie before.
struct Clocks {
  uint32_t known[kWarpSize][kWarpSize];
};

// The last access of a kind to one byte.
struct Access {
  uint32_t interval = 0;  // of the block; 0 for none
  uint32_t rank : 10 = 0;
  uint32_t atomic : 1 = 0;
  uint32_t warp_epoch : 21 = 0;
  uint32_t code = 0;  // where in the code, relative to the module
};

struct Cell {
  Access write, atomic, read, other_read;
};

enum class AccessKind { kRead, kWrite, kAtomicRead, kAtomicWrite, kAtomicUpdate };

class Checker final : public Observer {
 public:
  Checker();

  void check(const void* memory, size_t bytes, AccessKind kind, const void* code);

  void launch_begins(const void* call, size_t bytes) override;
  int launch_ends() override;
  uint32_t interval_begins(const Block& block) override;
  void grid_barrier_passed() override;
  void warp_operation_passed(Warp& warp, unsigned lanes) override;
  void exempt(const void* memory, size_t bytes) override;
  void shared_arena_cleared(const void* arena, size_t bytes) override;
  void shared_variable(const void* memory, size_t bytes, const char* name) override;
  void* allocate_device(size_t bytes) override;
  void free_device(void* memory, size_t bytes) override;
  void device_written(const void* memory, size_t bytes) override;
  void pinned(const void* memory, size_t bytes) override;
  void unpinned(const void* memory) override;

 private:
  enum State : unsigned char { kOutside, kUninitialised, kWritten };

  // What a block has seen of another: all before the interval, and in the interval what these threads did.
  struct HandOver {
    uint32_t interval = 0;
    std::bitset<1024> ranks;
  };
  using HandOvers = std::unordered_map<uint32_t, HandOver>;  // by block

  bool ordered(const Access& before, const Thread& thread) const;
  void check_device(size_t offset, size_t bytes, AccessKind kind, const void* code);
  void check_cell(Cell& cell, size_t offset, size_t bytes, AccessKind kind, const Access& access);
  bool may_touch_host(uintptr_t address, bool writes);
  void hand_over(size_t offset, AccessKind kind, const Thread& thread);

  void report(const char* defect, const void* memory, size_t bytes, AccessKind kind, uint32_t code,
              const Access* other);
  std::string describe(const void* memory) const;
  std::string source_of(uint32_t code) const;
  uint32_t code_of(const void* address) const;

  unsigned char* memory_;  // device and shared memory of the emulation; never reused
  unsigned char* state_;   // a State for each byte
  Cell* cells_;            // a Cell for each byte
  size_t top_;

  int defects_ = 0;
  uint32_t first_interval_ = 1;            // of this launch: all before it is ordered before it
  std::vector<uint32_t> interval_blocks_;  // the block of each interval from then on
  std::vector<Clocks*> clocks_;            // of the warps of this launch, then spare ones
  size_t n_clocks_ = 0;
  std::unordered_map<size_t, HandOvers> released_;    // by the address of the atomic
  std::unordered_map<uint32_t, HandOvers> acquired_;  // by block

  std::map<size_t, size_t> allocations_;                     // offset -> bytes
  std::map<size_t, size_t> arena_used_;                      // offset of an arena -> bytes that variables have covered
  std::map<size_t, std::pair<size_t, std::string>> shared_;  // offset -> bytes, name
  std::map<uintptr_t, uintptr_t> exempt_, pinned_;           // begin -> end
  uintptr_t call_begin_ = 0, call_end_ = 0;
  uintptr_t module_begin_ = 0, module_end_ = 0;
  std::set<std::pair<uint32_t, uint32_t>> reported_;  // places in the code, once in a launch
};

}  // namespace silverlode::emulation
