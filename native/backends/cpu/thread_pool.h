// A small fork-join pool. The caller works too, so a pool of n threads starts n - 1 of its own; one parallel_for runs at a
// time (the executor that owns the pool is single-threaded). Never libuv's threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace silverlode::cpu {

class ThreadPool {
 public:
  // Fewer threads when the system refuses to start that many.
  explicit ThreadPool(int32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t threads() const { return static_cast<int32_t>(workers_.size()) + 1; }

  // Calls body(task, worker) for every task in [0, tasks), worker in [0, threads()). Tasks are handed out in ascending
  // order, one at a time; results must not depend on which worker runs a task. Returns when all are done.
  template <class Body>
  void parallel_for(int64_t tasks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        tasks, [](void* self, int64_t task, int32_t worker) { (*static_cast<Plain*>(self))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Call = void (*)(void* self, int64_t task, int32_t worker);

  void run(int64_t tasks, Call call, void* self);
  void work(int32_t worker);
  void drain(int32_t worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  uint64_t generation_ = 0;  // guarded by mutex_
  int32_t active_ = 0;       // workers inside the current generation, guarded by mutex_
  bool open_ = false;        // the current generation still takes workers, guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  Call call_ = nullptr;      // these three change only while no worker is active
  void* self_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_{0};
};

// Threads to use when nobody says: the physical cores this process may run on.
int32_t default_threads();

}  // namespace silverlode::cpu
