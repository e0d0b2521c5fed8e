// What a checker of memory accesses wants to know. Null unless checker.cpp is linked, which happens when kernels are
// instrumented.
#pragma once

#include <cstddef>

#include "emulation/device/thread.h"

namespace silverlode::emulation {

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void launch_begins(const void* call, size_t bytes) = 0;
  // The number of defects that the launch has shown.
  virtual int launch_ends() = 0;
  // A block starts or has passed a barrier; returns a number for what follows up to the next barrier.
  virtual uint32_t interval_begins(const Block& block) = 0;
  virtual void grid_barrier_passed() = 0;
  virtual void warp_operation_passed(Warp& warp, unsigned lanes) = 0;

  // Memory that kernels may use without checks: stacks and the scheduler's own.
  virtual void exempt(const void* memory, size_t bytes) = 0;
  virtual void shared_arena_cleared(const void* arena, size_t bytes) = 0;
  virtual void shared_variable(const void* memory, size_t bytes, const char* name) = 0;

  // Device memory comes from the observer, which never hands out an address twice. Null when there is none left.
  virtual void* allocate_device(size_t bytes) = 0;
  virtual void free_device(void* memory, size_t bytes) = 0;
  virtual void device_written(const void* memory, size_t bytes) = 0;
  virtual void pinned(const void* memory, size_t bytes) = 0;
  virtual void unpinned(const void* memory) = 0;
};

extern constinit Observer* observer;

}  // namespace silverlode::emulation
