#include "backends/cpu/thread_pool.h"

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#if defined(__linux__)
#include <sched.h>

#include <fstream>
#endif

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

#if defined(__linux__)

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Distinct groups of hardware threads that share a core, among those this process may run on; 0 when unknown.
int32_t allowed_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> cores;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string name = "cpu" + std::to_string(cpu);
    const std::string siblings = first_line("/sys/devices/system/cpu/" + name + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? name : siblings);  // without topology every thread counts as a core
  }
  return static_cast<int32_t>(cores.size());
}

// Processors worth of time that one control group grants; 0 for no limit. Version 2 has one file, version 1 two.
double quota_of(const std::string& folder) {
  double quota = 0;
  double period = 0;
  std::ifstream both(folder + "/cpu.max");
  if (!(both >> quota >> period)) {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

// The path of this process's group below a mounted hierarchy, such as "/user.slice/app.service".
std::string group_path() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = std::string(",").append(line, first + 1, second - first - 1).append(",");
    if (controllers == ",," || controllers.find(",cpu,") != std::string::npos) return line.substr(second + 1);
  }
  return "";
}

// The smallest quota of the group and of all groups above it; 0 for no limit.
double quota() {
  double smallest = 0;
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu"}) {
    std::string path = group_path();
    if (path == "/") path.clear();
    while (true) {
      const double limit = quota_of(root + path);
      if (limit > 0 && (smallest == 0 || limit < smallest)) smallest = limit;
      if (path.empty()) break;
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  return smallest;
}

#else

int32_t allowed_cores() { return 0; }
double quota() { return 0; }

#endif

int32_t count_threads() {
  int32_t threads = allowed_cores();
  if (threads == 0) threads = static_cast<int32_t>(std::thread::hardware_concurrency());
  const double limit = quota();
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
