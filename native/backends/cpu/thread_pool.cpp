#include "backends/cpu/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "platform/machine.h"

namespace silverlode::cpu {

ThreadPool::ThreadPool(int32_t threads) {
  workers_.reserve(static_cast<size_t>(std::max(threads, 1) - 1));
  try {
    for (int32_t worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::system_error&) {
    // The process is at its thread limit: the threads that did start are enough to be correct.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t tasks, Call call, void* self) {
  if (tasks <= 1 || workers_.empty()) {
    for (int64_t task = 0; task < tasks; ++task) call(self, task, 0);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    call_ = call;
    self_ = self;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    open_ = true;
    ++generation_;
  }
  const int64_t helpers = std::min<int64_t>(tasks - 1, static_cast<int64_t>(workers_.size()));
  for (int64_t i = 0; i < helpers; ++i) start_.notify_one();
  drain(0);
  // Workers that have not woken up by now are not waited for: the generation is closed to them.
  std::unique_lock<std::mutex> lock(mutex_);
  open_ = false;
  done_.wait(lock, [this] { return active_ == 0; });
}

void ThreadPool::work(int32_t worker) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    start_.wait(lock, [&] { return stopping_ || (open_ && generation_ != seen); });
    if (stopping_) return;
    seen = generation_;
    ++active_;
    lock.unlock();
    drain(worker);
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }
}

void ThreadPool::drain(int32_t worker) {
  while (true) {
    const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    call_(self_, task, worker);
  }
}

namespace {

int32_t count_threads() {
  int32_t threads = platform::allowed_cores();
  if (threads == 0) threads = static_cast<int32_t>(std::thread::hardware_concurrency());
  const double limit = platform::processor_quota();
  if (limit > 0 && limit < threads) threads = static_cast<int32_t>(limit);
  return std::max(threads, 1);
}

}  // namespace

// Found out once: it takes dozens of small files, and every model asks.
int32_t default_threads() {
  static const int32_t threads = count_threads();
  return threads;
}

}  // namespace silverlode::cpu
