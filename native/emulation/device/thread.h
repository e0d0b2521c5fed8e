// A CUDA thread, warp and block as the scheduler sees them, and the services it gives to the device functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <vector>

#include "emulation/vector_types.h"

namespace silverlode::emulation {

struct Block;
struct Clocks;
struct Fiber;
struct Warp;

inline constexpr unsigned kWarpSize = 32;
inline constexpr unsigned kFullMask = 0xffffffffu;

using Location = std::source_location;

// Where a thread waits, for reports.
struct CallSite {
  const char* operation = "";
  Location location;
};

// Runs once for a whole warp, on the last lane of `mask` to arrive: reads and writes the arguments of every lane. Two lanes
// are in the same operation if and only if they name the same function.
using WarpOperation = void (*)(Warp& warp, unsigned mask);

enum class ThreadState : uint8_t { kNew, kReady, kInWarpOperation, kInBarrier, kExited };

// A copy to shared memory that was issued and not yet waited for.
struct AsyncCopy {
  void* target;
  const void* source;
  unsigned width;  // bytes written
  unsigned bytes;  // bytes read; the rest is zero
  unsigned group;
};

struct Thread {
  uint3 index;
  uint8_t lane;
  ThreadState state;
  uint16_t rank;  // in the block
  Warp* warp;
  Block* block;
  Fiber* fiber;
  WarpOperation operation;
  unsigned mask;
  void* arguments;
  CallSite site;
  std::vector<AsyncCopy> async_copies;
  unsigned async_group;
  uint32_t warp_epoch;  // warp operations passed, for the checker
  bool fenced;          // has executed a device-wide fence, for the checker
};

struct Warp {
  Thread* lanes;  // 32 consecutive threads of the block, fewer in a short last warp
  Block* block;
  unsigned index;
  unsigned existing, ready, waiting, exited;  // bit sets of lanes
  Clocks* clocks;                             // of the checker
};

struct SharedArray {
  const void* key;
  unsigned char* data;
  size_t bytes;
};

struct Block {
  uint3 index;
  dim3 dimensions, grid_dimensions;
  unsigned rank;  // in the grid
  unsigned n_threads, n_alive, n_arrived;
  unsigned ready_warps;  // bit set
  uint32_t interval;     // between two barriers; numbered by the checker
  int count, all, any;   // votes of the barrier in progress
  int counted, all_voted, any_voted;
  CallSite barrier;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  unsigned char* arena;  // shared memory of the block: every array between red zones
  size_t arena_used, shared_bytes;
  unsigned char* dynamic_shared;
  std::vector<SharedArray> shared_arrays;
};

// The CUDA thread that runs on this host thread now; null in host code.
extern constinit thread_local Thread* current __attribute__((tls_model("initial-exec")));

enum class Fault { kDeadlock, kDivergence, kIllegalAddress, kTrap, kLaunch };

// Reports, abandons the grid and makes the launch fail. Only in device code.
[[noreturn, gnu::format(printf, 2, 3)]] void fault(Fault kind, const char* format, ...);

void warp_rendezvous(WarpOperation operation, unsigned mask, void* arguments, CallSite site);
void block_barrier(CallSite site);
// Of a cooperative launch, in which every block is alive at once.
void grid_barrier(CallSite site);
void yield_thread();
bool async_copies_land_at_issue();
void queue_async_copy(const AsyncCopy& copy);
// Takes one copy out of the queue whose group must have landed when at most `pending` groups have not.
bool take_async_copy(unsigned pending, AsyncCopy* copy);

// The storage of a shared variable of the current block, the same for the same key; garbage when first asked for.
void* shared_memory(const void* key, size_t bytes, size_t align, const char* name = "shared variable");
// The dynamic shared memory of the current block, 128-byte aligned.
void* dynamic_shared_memory();

}  // namespace silverlode::emulation
