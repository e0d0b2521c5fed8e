// Where threads meet: warp operations, block barriers, grid barriers.
#include <bit>
#include <cstring>

#include "emulation/src/observer.h"
#include "emulation/src/scheduler.h"

namespace silverlode::emulation {

namespace {

bool same_site(const CallSite& a, const CallSite& b) {
  return a.location.line() == b.location.line() && std::strcmp(a.operation, b.operation) == 0 &&
         std::strcmp(a.location.file_name(), b.location.file_name()) == 0;
}

}  // namespace

// Runs the operation of `mask` if every lane of it has arrived. The lanes are ready afterwards.
bool Scheduler::complete_warp_operation(Warp& warp, unsigned mask, WarpOperation operation) {
  const unsigned present = mask & ~warp.exited;
  if (present == 0 || (warp.waiting & present) != present) return false;
  for (unsigned left = present; left != 0; left &= left - 1) {
    const Thread& other = warp.lanes[std::countr_zero(left)];
    if (other.mask != mask) return false;  // waits for another set of lanes
    if (other.operation != operation) {
      fault(Fault::kDivergence, "lanes of mask %08x are in different operations: %s at %s:%u is one", mask,
            other.site.operation, other.site.location.file_name(), other.site.location.line());
    }
  }
  if (present != mask) {
    const CallSite& site = warp.lanes[std::countr_zero(present)].site;
    fault(Fault::kDivergence, "%s at %s:%u: mask %08x names lanes that have exited (%08x)", site.operation,
          site.location.file_name(), site.location.line(), mask, mask & warp.exited);
  }
  operation(warp, mask);
  if (observer != nullptr) observer->warp_operation_passed(warp, mask);
  for (unsigned left = mask; left != 0; left &= left - 1) {
    Thread& other = warp.lanes[std::countr_zero(left)];
    ++other.warp_epoch;
    set_ready(other);
  }
  warp.waiting &= ~mask;
  return true;
}

void Scheduler::warp_rendezvous(WarpOperation operation, unsigned mask, void* arguments, CallSite site) {
  Thread& thread = *current;
  Warp& warp = *thread.warp;
  thread.site = site;
  thread.state = ThreadState::kInWarpOperation;
  if ((mask >> thread.lane & 1) == 0) {
    fault(Fault::kDivergence, "%s at %s:%u: the calling lane is not in mask %08x", site.operation,
          site.location.file_name(), site.location.line(), mask);
  }
  mask &= warp.existing;  // a short last warp
  thread.operation = operation;
  thread.mask = mask;
  thread.arguments = arguments;
  warp.waiting |= 1u << thread.lane;
  if (complete_warp_operation(warp, mask, operation)) {
    set_running(thread);  // the last to arrive goes on without a switch
  } else {
    wait(thread);
  }
}

// Announces that the current thread waits in a barrier, after the checks that every kind shares.
static void arrive(Thread& thread, CallSite site) {
  Block& block = *thread.block;
  thread.site = site;
  thread.state = ThreadState::kInBarrier;
  if (block.n_arrived == 0) {
    block.barrier = site;
  } else if (!same_site(block.barrier, site)) {
    const Location& other = block.barrier.location;
    fault(Fault::kDivergence, "threads of one block wait in different barriers: %s at %s:%u and %s at %s:%u",
          block.barrier.operation, other.file_name(), other.line(), site.operation, site.location.file_name(),
          site.location.line());
  }
  if (block.n_alive != block.n_threads) {
    fault(Fault::kDivergence, "%s at %s:%u after %u thread(s) of the block have exited", site.operation,
          site.location.file_name(), site.location.line(), block.n_threads - block.n_alive);
  }
  ++block.n_arrived;
}

void Scheduler::release_barrier(Block& block) {
  block.counted = block.count;
  block.all_voted = block.all;
  block.any_voted = block.any;
  block.count = block.any = 0;
  block.all = 1;
  block.n_arrived = 0;
  if (observer != nullptr) block.interval = observer->interval_begins(block);
  for (Thread& thread : block.threads) {
    if (thread.state == ThreadState::kInBarrier) set_ready(thread);
  }
}

void Scheduler::block_barrier(CallSite site) {
  Thread& thread = *current;
  Block& block = *thread.block;
  arrive(thread, site);
  if (block.n_arrived < block.n_alive) return wait(thread);
  release_barrier(block);
  set_running(thread);
}

void Scheduler::grid_barrier(CallSite site) {
  Thread& thread = *current;
  if (!grid_->cooperative) fault(Fault::kLaunch, "a grid barrier in a kernel that was not launched cooperatively");
  arrive(thread, site);
  if (++n_at_grid_barrier_ < n_alive_) return wait(thread);
  n_at_grid_barrier_ = 0;
  if (observer != nullptr) observer->grid_barrier_passed();
  for (size_t i = 0; i < n_blocks_; ++i) release_barrier(*blocks_[i]);
  set_running(thread);
}

void warp_rendezvous(WarpOperation operation, unsigned mask, void* arguments, CallSite site) {
  scheduler().warp_rendezvous(operation, mask, arguments, site);
}

void block_barrier(CallSite site) { scheduler().block_barrier(site); }

void grid_barrier(CallSite site) { scheduler().grid_barrier(site); }

void yield_thread() { scheduler().yield(); }

bool async_copies_land_at_issue() { return settings().copies_at_issue; }

void queue_async_copy(const AsyncCopy& copy) { current->async_copies.push_back(copy); }

bool take_async_copy(unsigned pending, AsyncCopy* copy) {
  std::vector<AsyncCopy>& queue = current->async_copies;
  if (queue.empty() || queue.front().group + pending >= current->async_group) return false;  // groups ascend
  *copy = queue.front();
  queue.erase(queue.begin());
  return true;
}

}  // namespace silverlode::emulation
