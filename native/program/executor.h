// One thread that does a device's work, job after job, so that neither the event loop nor libuv's pool computes unless a
// caller asks for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace silverlode {

class Executor {
 public:
  Executor();
  ~Executor();  // finishes the queued jobs, then joins; never call it from a job
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Jobs run in order of submission. The callable must not throw.
  void submit(std::function<void()> job);
  // Runs a job on the calling thread, after those submitted before and alone. The callable must not throw.
  void run_here(const std::function<void()>& job);

 private:
  void loop();
  void finish(const std::unique_lock<std::mutex>& held);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<std::function<void()>> jobs_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace silverlode
