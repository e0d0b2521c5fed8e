#include "emulation/src/checker.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <tuple>

#include "emulation/device/block.h"

namespace silverlode::emulation {

namespace {

constexpr size_t kReserved = size_t{64} << 30;  // address space only
constexpr size_t kAlign = 256;
constexpr size_t kPage = 4096;

template <class T>
T* reserve(size_t n) {
  void* memory =
      mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("silverlode emulation: no address space for the checker");
    std::abort();
  }
  return static_cast<T*>(memory);
}

// Gives the pages back that lie wholly inside; they read as zeros afterwards.
void discard(void* memory, size_t bytes) {
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) & ~(kPage - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) & ~(kPage - 1);
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool contains(const std::map<uintptr_t, uintptr_t>& ranges, uintptr_t address) {
  const auto above = ranges.upper_bound(address);
  return above != ranges.begin() && address < std::prev(above)->second;
}

// The module that holds this code: kernels may read its constants.
std::pair<uintptr_t, uintptr_t> find_module() {
  Dl_info info;
  dladdr(reinterpret_cast<void*>(&find_module), &info);
  struct Search {
    uintptr_t base, begin, end;
  } search{reinterpret_cast<uintptr_t>(info.dli_fbase), 0, 0};
  dl_iterate_phdr(
      [](dl_phdr_info* module, size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        uintptr_t begin = UINTPTR_MAX, end = 0;
        for (int i = 0; i < module->dlpi_phnum; ++i) {
          const auto& segment = module->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          begin = std::min(begin, static_cast<uintptr_t>(module->dlpi_addr + segment.p_vaddr));
          end = std::max(end, static_cast<uintptr_t>(module->dlpi_addr + segment.p_vaddr + segment.p_memsz));
        }
        if (begin != (wanted.base & ~(kPage - 1))) return 0;
        wanted.begin = begin;
        wanted.end = end;
        return 1;
      },
      &search);
  return {search.begin, search.end};
}

}  // namespace

Checker::Checker()
    : memory_(reserve<unsigned char>(kReserved)),
      state_(reserve<unsigned char>(kReserved)),
      cells_(reserve<Cell>(kReserved)),
      top_(kPage) {
  std::tie(module_begin_, module_end_) = find_module();
}

void Checker::launch_begins(const void* call, size_t bytes) {
  grid_barrier_passed();
  defects_ = 0;
  reported_.clear();
  call_begin_ = reinterpret_cast<uintptr_t>(call);
  call_end_ = call_begin_ + bytes;
  n_clocks_ = 0;
  released_.clear();
  acquired_.clear();
  exempt(&threadIdx, sizeof threadIdx);
  exempt(&blockIdx, sizeof blockIdx);
  exempt(&blockDim, sizeof blockDim);
  exempt(&gridDim, sizeof gridDim);
  exempt(&current, sizeof current);
}

int Checker::launch_ends() { return defects_; }

uint32_t Checker::interval_begins(const Block& block) {
  interval_blocks_.push_back(block.rank);
  return first_interval_ + static_cast<uint32_t>(interval_blocks_.size()) - 1;
}

// What lies on both sides of a grid barrier is ordered as what lies in different launches is.
void Checker::grid_barrier_passed() {
  first_interval_ += static_cast<uint32_t>(interval_blocks_.size());
  interval_blocks_.clear();
}

// The lanes that have met know from now on what each of them knew.
void Checker::warp_operation_passed(Warp& warp, unsigned lanes) {
  if (warp.clocks == nullptr) {
    if (n_clocks_ == clocks_.size()) clocks_.push_back(new Clocks);
    warp.clocks = clocks_[n_clocks_++];
    *warp.clocks = {};
  }
  uint32_t merged[kWarpSize] = {};
  for (unsigned left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    for (unsigned i = 0; i < kWarpSize; ++i) merged[i] = std::max(merged[i], warp.clocks->known[lane][i]);
    merged[lane] = std::max(merged[lane], warp.lanes[lane].warp_epoch + 1);
  }
  for (unsigned left = lanes; left != 0; left &= left - 1) {
    std::memcpy(warp.clocks->known[std::countr_zero(left)], merged, sizeof merged);
  }
}

void Checker::exempt(const void* memory, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  exempt_[begin] = begin + bytes;
}

void Checker::shared_arena_cleared(const void* arena, size_t) {
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(arena) - memory_);
  const size_t used = arena_used_[offset];
  std::memset(state_ + offset, kOutside, used);
  std::fill(cells_ + offset, cells_ + offset + used, Cell{});
  shared_.erase(shared_.lower_bound(offset), shared_.lower_bound(offset + used));
  arena_used_[offset] = 0;
}

void Checker::shared_variable(const void* memory, size_t bytes, const char* name) {
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(memory) - memory_);
  std::memset(state_ + offset, kUninitialised, bytes);
  shared_[offset] = {bytes, name};
  auto& [arena, used] = *std::prev(arena_used_.upper_bound(offset));
  used = offset + bytes - arena;
}

void* Checker::allocate_device(size_t bytes) {
  const size_t offset = (top_ + 2 * kAlign - 1) & ~(kAlign - 1);  // a gap behind the one before
  if (offset + bytes + kAlign > kReserved) return nullptr;
  top_ = offset + bytes;
  allocations_[offset] = bytes;
  std::memset(state_ + offset, kUninitialised, bytes);
  return memory_ + offset;
}

void Checker::free_device(void* memory, size_t bytes) {
  const auto offset = static_cast<size_t>(static_cast<unsigned char*>(memory) - memory_);
  std::memset(state_ + offset, kOutside, bytes);
  allocations_.erase(offset);
  discard(memory, bytes);
  discard(cells_ + offset, bytes * sizeof(Cell));
}

void Checker::device_written(const void* memory, size_t bytes) {
  std::memset(state_ + (static_cast<const unsigned char*>(memory) - memory_), kWritten, bytes);
}

void Checker::pinned(const void* memory, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  pinned_[begin] = begin + bytes;
}

void Checker::unpinned(const void* memory) { pinned_.erase(reinterpret_cast<uintptr_t>(memory)); }

bool Checker::may_touch_host(uintptr_t address, bool writes) {
  if (contains(exempt_, address) || contains(pinned_, address)) return true;
  if (address >= call_begin_ && address < call_end_) return !writes;
  return address >= module_begin_ && address < module_end_ && !writes;
}

// ---------------------------------------------------------------- order

// True if what `before` says happened before what the thread does now, by the rules of CUDA.
bool Checker::ordered(const Access& before, const Thread& thread) const {
  if (before.interval < first_interval_) return true;
  const Block& block = *thread.block;
  const uint32_t other = interval_blocks_[before.interval - first_interval_];
  if (other != block.rank) {
    const auto own = acquired_.find(block.rank);
    if (own == acquired_.end()) return false;
    const auto seen = own->second.find(other);
    if (seen == own->second.end()) return false;
    return before.interval < seen->second.interval ||
           (before.interval == seen->second.interval && seen->second.ranks[before.rank]);
  }
  if (before.rank == thread.rank || before.interval != block.interval) return true;
  if (before.rank / kWarpSize != thread.warp->index || thread.warp->clocks == nullptr) return false;
  return thread.warp->clocks->known[thread.lane][before.rank % kWarpSize] > before.warp_epoch;
}

// An atomic access acquires what others have released there; after a fence a thread that writes releases what its block did
// before the last barrier, and what its warp did since.
void Checker::hand_over(size_t offset, AccessKind kind, const Thread& thread) {
  const auto merge = [](HandOvers& into, uint32_t block, const HandOver& seen) {
    HandOver& known = into[block];
    if (seen.interval > known.interval) {
      known = seen;
    } else if (seen.interval == known.interval) {
      known.ranks |= seen.ranks;
    }
  };
  const uint32_t block = thread.block->rank;
  if (kind != AccessKind::kAtomicWrite) {
    const auto released = released_.find(offset);
    if (released != released_.end()) {
      for (const auto& [other, seen] : released->second) merge(acquired_[block], other, seen);
    }
  }
  if (kind == AccessKind::kAtomicRead || !thread.fenced) return;
  HandOver own;
  own.interval = thread.block->interval;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) own.ranks.set(thread.rank / kWarpSize * kWarpSize + lane);
  HandOvers& released = released_[offset];
  merge(released, block, own);
  for (const auto& [other, seen] : acquired_[block]) merge(released, other, seen);
}

void Checker::check_cell(Cell& cell, size_t offset, size_t bytes, AccessKind kind, const Access& access) {
  const Thread& thread = *current;
  const bool writes = kind != AccessKind::kRead && kind != AccessKind::kAtomicRead;
  const auto race = [&](const Access& other) { report("race", memory_ + offset, bytes, kind, access.code, &other); };
  if (!ordered(cell.write, thread)) return race(cell.write);
  if (!access.atomic && !ordered(cell.atomic, thread)) return race(cell.atomic);
  if (!writes) {
    // Two readers of different warps are remembered, so that one that is ordered does not hide one that is not.
    const bool same_warp =
        cell.read.interval == access.interval && cell.read.rank / kWarpSize == access.rank / kWarpSize;
    if (!same_warp) cell.other_read = cell.read;
    cell.read = access;
    return;
  }
  for (const Access* read : {&cell.read, &cell.other_read}) {
    if (!(access.atomic && read->atomic) && !ordered(*read, thread)) return race(*read);
  }
  (access.atomic ? cell.atomic : cell.write) = access;
}

void Checker::check_device(size_t offset, size_t bytes, AccessKind kind, const void* code) {
  const Thread& thread = *current;
  const bool atomic = kind != AccessKind::kRead && kind != AccessKind::kWrite;
  const bool reads = kind != AccessKind::kWrite && kind != AccessKind::kAtomicWrite;
  const unsigned char* states = state_ + offset;
  if (std::memchr(states, kOutside, bytes) != nullptr) {
    report("out of bounds", memory_ + offset, bytes, kind, code_of(code), nullptr);
    fault(Fault::kIllegalAddress, "an access of %zu byte(s)", bytes);
  }
  if (reads && std::memchr(states, kUninitialised, bytes) != nullptr) {
    report("uninitialised", memory_ + offset, bytes, kind, code_of(code), nullptr);
  }
  if (atomic) hand_over(offset, kind, thread);
  Access access;
  access.interval = thread.block->interval;
  access.rank = thread.rank;
  access.atomic = atomic;
  access.warp_epoch = thread.warp_epoch;
  access.code = code_of(code);
  for (size_t i = 0; i < bytes; ++i) check_cell(cells_[offset + i], offset, bytes, kind, access);
  if (kind != AccessKind::kRead && kind != AccessKind::kAtomicRead) std::memset(state_ + offset, kWritten, bytes);
}

void Checker::check(const void* memory, size_t bytes, AccessKind kind, const void* code) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  const size_t offset = address - reinterpret_cast<uintptr_t>(memory_);
  if (offset < kReserved) return check_device(offset, bytes, kind, code);
  const bool writes = kind != AccessKind::kRead && kind != AccessKind::kAtomicRead;
  if (may_touch_host(address, writes)) return;
  report("host memory", memory, bytes, kind, code_of(code), nullptr);
}

}  // namespace silverlode::emulation
