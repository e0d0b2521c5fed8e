// Faults in device code: a report on stderr, then the grid is abandoned.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "emulation/src/scheduler.h"

namespace silverlode::emulation {

namespace {

const char* name_of(Fault kind) {
  switch (kind) {
    case Fault::kDeadlock: return "deadlock";
    case Fault::kDivergence: return "divergence";
    case Fault::kIllegalAddress: return "illegal address";
    case Fault::kTrap: return "trap";
    case Fault::kLaunch: return "launch";
  }
  return "";
}

cudaError_t error_of(Fault kind) {
  return kind == Fault::kIllegalAddress ? cudaErrorIllegalAddress : cudaErrorLaunchFailure;
}

const char* name_of(ThreadState state) {
  switch (state) {
    case ThreadState::kNew: return "not started";
    case ThreadState::kReady: return "ready";
    case ThreadState::kInWarpOperation: return "in";
    case ThreadState::kInBarrier: return "in barrier";
    case ThreadState::kExited: return "exited";
  }
  return "";
}

bool same_wait(const Thread& a, const Thread& b) {
  return a.state == b.state && a.mask == b.mask && a.site.operation == b.site.operation &&
         a.site.location.line() == b.site.location.line();
}

void print_position(const char* prefix) {
  const uint3 block = current->block->index;
  const uint3 thread = current->index;
  std::fprintf(stderr, "%sblock (%u,%u,%u) thread (%u,%u,%u)", prefix, block.x, block.y, block.z, thread.x, thread.y,
               thread.z);
}

}  // namespace

// Where every thread of the grid waits, equal neighbours in one line.
void Scheduler::print_threads() const {
  constexpr int kMostLines = 12;
  int lines = 0;
  for (size_t b = 0; b < n_blocks_; ++b) {
    const Block& block = *blocks_[b];
    for (unsigned first = 0, end = 0; first < block.n_threads; first = end) {
      if (lines++ == kMostLines) return void(std::fprintf(stderr, "  ...\n"));
      const Thread& thread = block.threads[first];
      for (end = first + 1; end < block.n_threads && same_wait(thread, block.threads[end]);) ++end;
      std::fprintf(stderr, "  block (%u,%u,%u) threads %u..%u: %s", block.index.x, block.index.y, block.index.z, first,
                   end - 1, name_of(thread.state));
      const bool waits = thread.state == ThreadState::kInWarpOperation || thread.state == ThreadState::kInBarrier;
      if (waits) {
        std::fprintf(stderr, " %s at %s:%u", thread.site.operation, thread.site.location.file_name(),
                     thread.site.location.line());
      }
      if (thread.state == ThreadState::kInWarpOperation) std::fprintf(stderr, " mask %08x", thread.mask);
      std::fprintf(stderr, "\n");
    }
  }
}

void fault(Fault kind, const char* format, ...) {
  std::fprintf(stderr, "silverlode emulation: %s: ", name_of(kind));
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  print_position(" [");
  std::fprintf(stderr, "]\n");
  if (kind == Fault::kDeadlock || kind == Fault::kDivergence) scheduler().print_threads();
  if (settings().abort_on_fault) std::abort();
  scheduler().abandon(error_of(kind));
}

}  // namespace silverlode::emulation

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer calls this before its report, which knows nothing of blocks and threads.
extern "C" __attribute__((visibility("default"))) void __asan_on_error() {
  if (silverlode::emulation::current == nullptr) return;
  silverlode::emulation::print_position("silverlode emulation: in a kernel, ");
  std::fprintf(stderr, "\n");
}
#endif
