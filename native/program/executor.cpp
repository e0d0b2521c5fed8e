#include "program/executor.h"

namespace silverlode {

Executor::Executor() : thread_([this] { loop(); }) {}

Executor::~Executor() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Executor::submit(std::function<void()> job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Executor::run_here(const std::function<void()>& job) {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return !busy_ && jobs_.empty(); });
  busy_ = true;
  lock.unlock();
  job();
  lock.lock();
  finish(lock);
}

void Executor::loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return !busy_ && (stopping_ || !jobs_.empty()); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    finish(lock);
  }
}

// The thread goes on with its jobs; a caller that waits comes after them.
void Executor::finish(const std::unique_lock<std::mutex>&) {
  busy_ = false;
  if (!jobs_.empty() || stopping_) {
    wake_.notify_one();
  } else {
    idle_.notify_one();
  }
}

}  // namespace silverlode
