// Runs a grid: every CUDA thread is a fiber, one runs at a time, a blocked one switches straight to the next ready one.
// A thread that meets no barrier is a plain call: when it ends its stack goes on with the next thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "emulation/device/launch.h"
#include "emulation/device/thread.h"
#include "emulation/settings.h"
#include "emulation/src/fiber.h"

namespace silverlode::emulation {

struct Grid {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared_bytes;
  size_t shared_limit;  // most shared memory of a block, static and dynamic
  bool cooperative;     // every block is alive at once, so grid_barrier() works
  const KernelCall* call;
};

class Scheduler {
 public:
  // Runs the grid to its end; cudaSuccess or the error of the fault that ended it. One grid at a time.
  cudaError_t run(const Grid& grid);

  // The rest is for the thread that runs now.
  void warp_rendezvous(WarpOperation operation, unsigned mask, void* arguments, CallSite site);
  void block_barrier(CallSite site);
  void grid_barrier(CallSite site);
  void yield();
  void* shared_memory(const void* key, size_t bytes, size_t align, const char* name);
  void* dynamic_shared_memory();
  [[noreturn]] void abandon(cudaError_t error);
  void print_threads() const;

  ~Scheduler();

 private:
  static void fiber_main();
  void live();
  [[gnu::noinline, gnu::noclone]] Fiber* run_threads();

  void begin_grid(const Grid& grid);
  unsigned block_at(size_t position) const;
  void shuffle_blocks();
  void start_block(Block& block);
  void prepare_shared_memory(Block& block);
  void end_grid();

  bool complete_warp_operation(Warp& warp, unsigned mask, WarpOperation operation);
  void release_barrier(Block& block);
  Thread* retire(Thread& thread);

  uint64_t random();
  int choose(unsigned set);
  Thread* take(Warp& warp);
  Thread* take(Block& block);
  Thread* next(Thread* after);
  void set_ready(Thread& thread);
  void set_running(Thread& thread);
  void set_current(Thread& thread);
  void activate(Thread& thread, Fiber* self);
  void wait(Thread& thread);

  const Grid* grid_ = nullptr;
  Order order_ = Order::kForward;
  uint64_t random_ = 1;
  Fiber host_;
  Fiber* running_ = nullptr;
  std::vector<Fiber*> fibers_, parked_;
  std::vector<std::unique_ptr<Block>> blocks_;  // those alive, and spare ones behind them
  size_t n_blocks_ = 0, turn_ = 0;
  std::vector<unsigned> shuffled_;  // ranks of blocks, in random order only
  size_t n_grid_blocks_ = 0;
  size_t started_ = 0;  // blocks that have begun
  uint64_t n_alive_ = 0, n_at_grid_barrier_ = 0, yields_ = 0;
  cudaError_t error_ = cudaSuccess;
};

Scheduler& scheduler();

}  // namespace silverlode::emulation
