#include "emulation/src/scheduler.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "emulation/device/block.h"
#include "emulation/src/observer.h"

constinit thread_local uint3 threadIdx = {};
constinit thread_local uint3 blockIdx = {};
constinit thread_local dim3 blockDim;
constinit thread_local dim3 gridDim;

namespace silverlode::emulation {

constinit thread_local Thread* current = nullptr;
constinit Observer* observer = nullptr;

namespace {

// Blocks alive at once in random order: enough that their steps interleave, few enough to stay fast.
constexpr size_t kInterleavedBlocks = 4;
// A grid that only spins stops after this many yields.
constexpr uint64_t kMostYields = uint64_t{1} << 24;

}  // namespace

Scheduler& scheduler() {
  static auto* const kScheduler = new Scheduler;  // never freed: host threads may outlive static destructors
  return *kScheduler;
}

Scheduler::~Scheduler() {
  for (Fiber* fiber : fibers_) destroy_fiber(fiber);
}

// ---------------------------------------------------------------- who goes next

uint64_t Scheduler::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

// A member of a non-empty set of 32.
int Scheduler::choose(unsigned set) {
  if (order_ == Order::kForward) return std::countr_zero(set);
  if (order_ == Order::kReverse) return 31 - std::countl_zero(set);
  const int turn = static_cast<int>(random() & 31);
  return (std::countr_zero(std::rotr(set, turn)) + turn) & 31;
}

void Scheduler::set_ready(Thread& thread) {
  thread.state = ThreadState::kReady;
  thread.warp->ready |= 1u << thread.lane;
  thread.block->ready_warps |= 1u << thread.warp->index;
}

void Scheduler::set_running(Thread& thread) {
  Warp& warp = *thread.warp;
  warp.ready &= ~(1u << thread.lane);
  if (warp.ready == 0) thread.block->ready_warps &= ~(1u << warp.index);
}

Thread* Scheduler::take(Warp& warp) {
  Thread& thread = warp.lanes[choose(warp.ready)];
  set_running(thread);
  return &thread;
}

Thread* Scheduler::take(Block& block) { return take(block.warps[choose(block.ready_warps)]); }

// The next thread to run, close to the last one: its warp, its block, any block. Null when all wait.
Thread* Scheduler::next(Thread* after) {
  const bool wander = order_ == Order::kRandom && n_blocks_ > 1 && random() % 8 == 0;
  if (after != nullptr && !wander) {
    if (after->warp->ready != 0) return take(*after->warp);
    if (after->block->ready_warps != 0) return take(*after->block);
  }
  if (wander) turn_ = random() % n_blocks_;
  for (size_t i = 0; i < n_blocks_; ++i) {
    const size_t at = (turn_ + i) % n_blocks_;
    if (blocks_[at]->ready_warps == 0) continue;
    turn_ = at;
    return take(*blocks_[at]);
  }
  return nullptr;
}

void Scheduler::set_current(Thread& thread) {
  current = &thread;
  threadIdx = thread.index;
  blockIdx = thread.block->index;
  blockDim = thread.block->dimensions;
  gridDim = thread.block->grid_dimensions;
}

void Scheduler::activate(Thread& thread, Fiber* self) {
  if (thread.fiber == nullptr) {
    if (parked_.empty()) {
      Fiber* fiber = create_fiber(fiber_main);
      if (fiber == nullptr) {
        std::fprintf(stderr, "silverlode emulation: no memory for another stack\n");
        std::abort();
      }
      if (observer != nullptr) observer->exempt(fiber->stack, fiber->stack_bytes);
      fibers_.push_back(fiber);
      parked_.push_back(fiber);
    }
    thread.fiber = parked_.back();
    parked_.pop_back();
  }
  set_current(thread);
  if (thread.fiber == self) return;
  running_ = thread.fiber;
  switch_fiber(self, thread.fiber);
}

// Runs others until `thread`, the current one, is ready again.
void Scheduler::wait(Thread& thread) {
  Thread* other = next(&thread);
  if (other == nullptr) fault(Fault::kDeadlock, "no thread of the grid can go on");
  activate(*other, thread.fiber);
}

void Scheduler::yield() {
  Thread& thread = *current;
  if (++yields_ > kMostYields) fault(Fault::kDeadlock, "the threads of the grid only spin");
  // In order of rank, starting behind this thread, so that every other thread gets a turn before this one again.
  Block& block = *thread.block;
  Thread* other = nullptr;
  const auto behind = [](unsigned set, unsigned index) { return index == 31 ? 0 : set & (~0u << (index + 1)); };
  if (const unsigned later = behind(thread.warp->ready, thread.lane); later != 0) {
    other = &thread.warp->lanes[std::countr_zero(later)];
  } else if (const unsigned warps = behind(block.ready_warps, thread.warp->index); warps != 0) {
    other = &block.warps[std::countr_zero(warps)].lanes[0];
    other += std::countr_zero(other->warp->ready);
  } else {
    for (size_t i = 1; i <= n_blocks_ && other == nullptr; ++i) {
      Block& candidate = *blocks_[(turn_ + i) % n_blocks_];
      if (candidate.ready_warps == 0) continue;
      turn_ = (turn_ + i) % n_blocks_;
      Warp& warp = candidate.warps[std::countr_zero(candidate.ready_warps)];
      other = &warp.lanes[std::countr_zero(warp.ready)];
    }
  }
  if (other == nullptr) return;
  set_running(*other);
  set_ready(thread);
  activate(*other, thread.fiber);
}

// ---------------------------------------------------------------- life of a thread

void Scheduler::fiber_main() {
  begin_fiber();
  scheduler().live();
}

// The life of a fiber; never returns. A parked fiber may go on in another host thread, by a later grid. So nothing here
// uses a thread_local variable: the compiler may keep its address over the switch.
void Scheduler::live() {
  for (;;) {
    Fiber* self = run_threads();
    switch_fiber(self, running_);
  }
}

// Runs one CUDA thread after the other, until the next one has a stack already. Returns the fiber that is parked now.
Fiber* Scheduler::run_threads() {
  Fiber* self = current->fiber;
  for (;;) {
    current->state = ThreadState::kReady;
    grid_->call->run();
    Thread& done = *current;
    done.fiber = nullptr;
    Thread* other = retire(done);
    if (other == nullptr || other->fiber != nullptr) {
      parked_.push_back(self);
      if (other != nullptr) set_current(*other);
      running_ = other != nullptr ? other->fiber : &host_;
      return self;
    }
    other->fiber = self;  // no switch at all: this stack runs the next thread
    set_current(*other);
  }
}

// Ends the thread; returns the next one to run, null when the grid is done.
Thread* Scheduler::retire(Thread& thread) {
  Warp& warp = *thread.warp;
  Block& block = *thread.block;
  thread.state = ThreadState::kExited;
  warp.exited |= 1u << thread.lane;
  --n_alive_;
  --block.n_alive;
  if (block.n_arrived != 0) {
    fault(Fault::kDivergence, "a thread exits while %u thread(s) of its block wait in %s at %s:%u", block.n_arrived,
          block.barrier.operation, block.barrier.location.file_name(), block.barrier.location.line());
  }
  for (unsigned left = warp.waiting; left != 0; left &= left - 1) {  // the exit may complete an operation of others
    const Thread& other = warp.lanes[std::countr_zero(left)];
    if ((other.mask >> thread.lane & 1) == 0) continue;
    complete_warp_operation(warp, other.mask, other.operation);
    break;
  }
  if (block.n_alive == 0 && started_ < n_grid_blocks_) start_block(block);
  Thread* other = next(&thread);
  if (other == nullptr && n_alive_ != 0) fault(Fault::kDeadlock, "no thread of the grid can go on");
  return other;
}

// ---------------------------------------------------------------- grids

void Scheduler::start_block(Block& block) {
  const Grid& grid = *grid_;
  const unsigned rank = block_at(started_++);
  const unsigned n = grid.block.x * grid.block.y * grid.block.z;
  unsigned char* arena = block.arena;
  std::vector<Thread> threads = std::move(block.threads);
  std::vector<Warp> warps = std::move(block.warps);
  threads.assign(n, Thread{});
  warps.assign((n + kWarpSize - 1) / kWarpSize, Warp{});

  block = Block{};
  block.arena = arena;
  block.threads = std::move(threads);
  block.warps = std::move(warps);
  block.index = {rank % grid.grid.x, rank / grid.grid.x % grid.grid.y, rank / grid.grid.x / grid.grid.y};
  block.dimensions = grid.block;
  block.grid_dimensions = grid.grid;
  block.rank = rank;
  block.n_threads = block.n_alive = n;
  block.all = 1;
  for (unsigned i = 0; i < n; ++i) {
    Thread& thread = block.threads[i];
    thread.index = {i % grid.block.x, i / grid.block.x % grid.block.y, i / grid.block.x / grid.block.y};
    thread.lane = static_cast<uint8_t>(i % kWarpSize);
    thread.rank = static_cast<uint16_t>(i);
    thread.warp = &block.warps[i / kWarpSize];
    thread.block = &block;
  }
  for (unsigned i = 0; i < block.warps.size(); ++i) {
    Warp& warp = block.warps[i];
    warp.lanes = &block.threads[i * kWarpSize];
    warp.block = &block;
    warp.index = i;
    const unsigned lanes = std::min(kWarpSize, n - i * kWarpSize);
    warp.existing = warp.ready = lanes == kWarpSize ? kFullMask : (1u << lanes) - 1;
    block.ready_warps |= 1u << i;
  }
  if (observer != nullptr) {
    observer->exempt(block.threads.data(), n * sizeof(Thread));
    observer->exempt(block.warps.data(), block.warps.size() * sizeof(Warp));
    observer->exempt(&block, sizeof block);
    block.interval = observer->interval_begins(block);
  }
  n_alive_ += n;
  prepare_shared_memory(block);
}

unsigned Scheduler::block_at(size_t position) const {
  if (order_ == Order::kForward) return static_cast<unsigned>(position);
  if (order_ == Order::kReverse) return static_cast<unsigned>(n_grid_blocks_ - 1 - position);
  return shuffled_[position];
}

void Scheduler::shuffle_blocks() {
  shuffled_.resize(n_grid_blocks_);
  std::iota(shuffled_.begin(), shuffled_.end(), 0u);
  for (size_t i = shuffled_.size(); i > 1; --i) std::swap(shuffled_[i - 1], shuffled_[random() % i]);
}

void Scheduler::begin_grid(const Grid& grid) {
  grid_ = &grid;
  order_ = settings().order;
  random_ = (settings().order_seed + 1) * 0x9E3779B97F4A7C15u | 1;
  error_ = cudaSuccess;
  n_alive_ = n_at_grid_barrier_ = yields_ = 0;
  started_ = turn_ = 0;
  host_ = host_fiber();

  n_grid_blocks_ = static_cast<size_t>(grid.grid.x) * grid.grid.y * grid.grid.z;
  if (order_ == Order::kRandom) shuffle_blocks();
  const size_t together = grid.cooperative ? n_grid_blocks_ : order_ == Order::kRandom ? kInterleavedBlocks : 1;
  n_blocks_ = std::min(together, n_grid_blocks_);
  while (blocks_.size() < n_blocks_) blocks_.push_back(std::make_unique<Block>());
  for (size_t i = 0; i < n_blocks_; ++i) start_block(*blocks_[i]);
}

// After a fault the stacks that are not parked hold abandoned frames; they cannot be used again.
void Scheduler::end_grid() {
  current = nullptr;
  grid_ = nullptr;
  if (error_ == cudaSuccess) return;
  for (Fiber* fiber : fibers_) {
    if (std::find(parked_.begin(), parked_.end(), fiber) == parked_.end()) destroy_fiber(fiber);
  }
  fibers_ = parked_;
}

cudaError_t Scheduler::run(const Grid& grid) {
  if (observer != nullptr) {
    const auto [arguments, bytes] = grid.call->extent();
    observer->launch_begins(arguments, bytes);
  }
  begin_grid(grid);
  activate(*next(nullptr), &host_);
  end_grid();
  const int defects = observer != nullptr ? observer->launch_ends() : 0;
  return error_ == cudaSuccess && defects != 0 ? cudaErrorLaunchFailure : error_;
}

void Scheduler::abandon(cudaError_t error) {
  error_ = error;
  Fiber* self = running_;
  current = nullptr;
  switch_fiber(self, &host_);
  std::abort();  // an abandoned fiber is never switched to
}

}  // namespace silverlode::emulation
