// Block barriers, fences, clocks, and the built-in variables.
#pragma once

#include <chrono>

#include "emulation/device/thread.h"

// The built-in variables of the thread that runs on this host thread; the scheduler sets them at every switch. No macros:
// cudaLaunchConfig_t has fields of these names.
extern constinit thread_local uint3 threadIdx __attribute__((tls_model("initial-exec")));
extern constinit thread_local uint3 blockIdx __attribute__((tls_model("initial-exec")));
extern constinit thread_local dim3 blockDim __attribute__((tls_model("initial-exec")));
extern constinit thread_local dim3 gridDim __attribute__((tls_model("initial-exec")));

namespace silverlode::emulation {

// Nanoseconds, as the register %globaltimer counts them.
inline long long global_timer() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace silverlode::emulation

// Votes travel with the arrivals, so that one barrier does.
[[gnu::no_sanitize_thread]] inline void emulated_barrier_vote(int predicate) {
  silverlode::emulation::Block& block = *silverlode::emulation::current->block;
  block.count += predicate != 0;
  block.all &= predicate != 0;
  block.any |= predicate != 0;
}

inline void __syncthreads(std::source_location where = std::source_location::current()) {
  silverlode::emulation::block_barrier({"__syncthreads", where});
}

[[gnu::no_sanitize_thread]] inline int __syncthreads_count(
    int predicate, std::source_location where = std::source_location::current()) {
  emulated_barrier_vote(predicate);
  silverlode::emulation::block_barrier({"__syncthreads_count", where});
  return silverlode::emulation::current->block->counted;
}

[[gnu::no_sanitize_thread]] inline int __syncthreads_and(int predicate,
                                                         std::source_location where = std::source_location::current()) {
  emulated_barrier_vote(predicate);
  silverlode::emulation::block_barrier({"__syncthreads_and", where});
  return silverlode::emulation::current->block->all_voted;
}

[[gnu::no_sanitize_thread]] inline int __syncthreads_or(int predicate,
                                                        std::source_location where = std::source_location::current()) {
  emulated_barrier_vote(predicate);
  silverlode::emulation::block_barrier({"__syncthreads_or", where});
  return silverlode::emulation::current->block->any_voted;
}

[[gnu::no_sanitize_thread]] inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  silverlode::emulation::current->fenced = true;
}

[[gnu::no_sanitize_thread]] inline void __threadfence_system() { __threadfence(); }
inline void __threadfence_block() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// A spinning thread must call this: nothing else lets the others run.
inline void __nanosleep(unsigned) { silverlode::emulation::yield_thread(); }

[[noreturn]] inline void __trap() { silverlode::emulation::fault(silverlode::emulation::Fault::kTrap, "__trap()"); }

inline long long clock64() { return silverlode::emulation::global_timer(); }
