// A stack of its own that control can be switched to. No system call per switch: ucontext costs ten times as much.
#pragma once

#include <cstddef>

namespace silverlode::emulation {

struct Fiber {
  void* stack_pointer = nullptr;
  unsigned char* stack = nullptr;
  size_t stack_bytes = 0;
  void* sanitizer_stack = nullptr;
};

// A fiber that calls `entry` when it is first switched to; `entry` must not return. Below the stack lies a guard page.
// Null when there is no memory.
Fiber* create_fiber(void (*entry)());
void destroy_fiber(Fiber* fiber);

// Leaves `from`, which is running, and goes on in `to`. AddressSanitizer must be told, or it takes the other stack for wild.
void switch_fiber(Fiber* from, Fiber* to);
// What an entry must call first.
void begin_fiber();

// The fiber that stands for the stack of the calling host thread.
Fiber host_fiber();

}  // namespace silverlode::emulation
