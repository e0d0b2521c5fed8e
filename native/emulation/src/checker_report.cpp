#include <dlfcn.h>

#include <cstdio>

#include "emulation/src/checker.h"

namespace silverlode::emulation {

namespace {

const char* name_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::kRead: return "read";
    case AccessKind::kWrite: return "write";
    case AccessKind::kAtomicRead: return "atomic or volatile read";
    case AccessKind::kAtomicWrite: return "atomic or volatile write";
    case AccessKind::kAtomicUpdate: return "atomic update";
  }
  return "";
}

}  // namespace

uint32_t Checker::code_of(const void* address) const {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(address) - module_begin_);
}

// "function file:line", by addr2line where there is one.
std::string Checker::source_of(uint32_t code) const {
  Dl_info info;
  const uintptr_t address = module_begin_ + code - 1;  // of the call, not behind it
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0) return "?";
  char command[1024];
  std::snprintf(command, sizeof command, "addr2line -sCfe '%s' 0x%zx 2>/dev/null", info.dli_fname,
                static_cast<size_t>(address - reinterpret_cast<uintptr_t>(info.dli_fbase)));
  std::string source;
  if (FILE* pipe = popen(command, "r"); pipe != nullptr) {
    char line[512];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
      source += line;
      if (source.back() == '\n') source.back() = ' ';
    }
    pclose(pipe);
  }
  return source.empty() ? "?" : source;
}

std::string Checker::describe(const void* memory) const {
  char text[256];
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(memory) - memory_);
  if (const auto above = shared_.upper_bound(offset + 64); above != shared_.begin()) {  // red zones are of 64 bytes
    const auto& [begin, variable] = *std::prev(above);
    if (offset < begin + variable.first + 64) {
      std::snprintf(text, sizeof text, "byte %td of %zu of shared memory (%s)",
                    static_cast<ptrdiff_t>(offset) - static_cast<ptrdiff_t>(begin), variable.first,
                    variable.second.c_str());
      return text;
    }
  }
  if (const auto above = allocations_.upper_bound(offset); offset < top_ + 4096 && above != allocations_.begin()) {
    const auto& [begin, bytes] = *std::prev(above);
    std::snprintf(text, sizeof text, "byte %zu behind the start of %zu bytes of device memory", offset - begin, bytes);
    return text;
  }
  std::snprintf(text, sizeof text, "address %p", memory);
  return text;
}

void Checker::report(const char* defect, const void* memory, size_t bytes, AccessKind kind, uint32_t code,
                     const Access* other) {
  ++defects_;
  if (!reported_.insert({code, other != nullptr ? other->code : 0}).second) return;
  const Thread& thread = *current;
  std::fprintf(stderr, "silverlode emulation: %s: %s of %zu byte(s), %s\n  by block %u thread %u at %s\n", defect,
               name_of(kind), bytes, describe(memory).c_str(), thread.block->rank, thread.rank,
               source_of(code).c_str());
  if (other == nullptr) return;
  std::fprintf(stderr, "  against block %u thread %u at %s\n", interval_blocks_[other->interval - first_interval_],
               other->rank, source_of(other->code).c_str());
}

}  // namespace silverlode::emulation
