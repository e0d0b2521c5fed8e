// One thread that does a device's work, job after job, so that neither the event loop nor libuv's pool ever computes.
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

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace silverlode
