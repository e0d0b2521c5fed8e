#include "emulation/src/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" {
// Pushes the callee-saved registers, stores the stack pointer to *save, loads it from `load` and pops what lies there.
void silverlode_emulation_switch(void** save, void* load);
// Calls the entry that the first frame holds. Never returns.
void silverlode_emulation_start();
}

namespace silverlode::emulation {

namespace {

constexpr size_t kGuardBytes = 4096;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStackBytes = 256 << 10;  // red zones make frames larger
#else
constexpr size_t kStackBytes = 64 << 10;
#endif

}  // namespace

#if defined(__x86_64__)

asm(R"(
.text
.globl silverlode_emulation_switch
.hidden silverlode_emulation_switch
.type silverlode_emulation_switch,@function
silverlode_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size silverlode_emulation_switch,.-silverlode_emulation_switch
.globl silverlode_emulation_start
.hidden silverlode_emulation_start
.type silverlode_emulation_start,@function
silverlode_emulation_start:
  xorl %ebp,%ebp
  call *%r12
  ud2
.size silverlode_emulation_start,.-silverlode_emulation_start
)");

// r15, r14, r13, r12 (the entry), rbx, rbp, return address: after the return the stack is aligned as before a call.
static void* first_frame(unsigned char* top, void (*entry)()) {
  void** frame = reinterpret_cast<void**>(top) - 7;
  std::memset(frame, 0, 7 * sizeof(void*));
  frame[3] = reinterpret_cast<void*>(entry);
  frame[6] = reinterpret_cast<void*>(silverlode_emulation_start);
  return frame;
}

#elif defined(__aarch64__)

asm(R"(
.text
.globl silverlode_emulation_switch
.hidden silverlode_emulation_switch
.type silverlode_emulation_switch,%function
silverlode_emulation_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size silverlode_emulation_switch,.-silverlode_emulation_switch
.globl silverlode_emulation_start
.hidden silverlode_emulation_start
.type silverlode_emulation_start,%function
silverlode_emulation_start:
  blr x19
  brk #0
.size silverlode_emulation_start,.-silverlode_emulation_start
)");

// x19 (the entry) at 0, x30 (where the switch returns to) at 88.
static void* first_frame(unsigned char* top, void (*entry)()) {
  void** frame = reinterpret_cast<void**>(top) - 20;
  std::memset(frame, 0, 20 * sizeof(void*));
  frame[0] = reinterpret_cast<void*>(entry);
  frame[11] = reinterpret_cast<void*>(silverlode_emulation_start);
  return frame;
}

#else
#error "The emulation has no context switch for this processor."
#endif

Fiber* create_fiber(void (*entry)()) {
  void* memory = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  mprotect(memory, kGuardBytes, PROT_NONE);
  auto* fiber = new Fiber;
  fiber->stack = static_cast<unsigned char*>(memory) + kGuardBytes;
  fiber->stack_bytes = kStackBytes;
  fiber->stack_pointer = first_frame(fiber->stack + kStackBytes, entry);
  return fiber;
}

void destroy_fiber(Fiber* fiber) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(fiber->stack, fiber->stack_bytes);  // an abandoned stack still holds red zones
#endif
  munmap(fiber->stack - kGuardBytes, fiber->stack_bytes + kGuardBytes);
  delete fiber;
}

void switch_fiber(Fiber* from, Fiber* to) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&from->sanitizer_stack, to->stack, to->stack_bytes);
#endif
  silverlode_emulation_switch(&from->stack_pointer, to->stack_pointer);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(from->sanitizer_stack, nullptr, nullptr);
#endif
}

void begin_fiber() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

Fiber host_fiber() {
  // Cached: for the main thread the call reads /proc/self/maps, which takes longer than a small kernel.
  thread_local const Fiber kHost = [] {
    Fiber host;
    pthread_attr_t attributes;
    void* stack = nullptr;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &host.stack_bytes);
    pthread_attr_destroy(&attributes);
    host.stack = static_cast<unsigned char*>(stack);
    return host;
  }();
  return kHost;
}

}  // namespace silverlode::emulation
