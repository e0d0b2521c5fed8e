#include "platform/machine.h"

#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <set>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace silverlode::platform {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
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

}  // namespace

int64_t memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? static_cast<int64_t>(pages) * page : 0;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "";
}

// Threads are grouped as the kernel says; without its word every thread counts as a core.
int32_t allowed_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> cores;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string name = "cpu" + std::to_string(cpu);
    const std::string siblings = first_line("/sys/devices/system/cpu/" + name + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? name : siblings);
  }
  return static_cast<int32_t>(cores.size());
}

// The smallest quota of the group and of all groups above it.
double processor_quota() {
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

bool has_arm_dot_products() {
#if defined(__aarch64__)
  constexpr unsigned long kNeeded = HWCAP_ASIMDDP | HWCAP_ASIMDHP;
  return (getauxval(AT_HWCAP) & kNeeded) == kNeeded;
#else
  return false;
#endif
}

}  // namespace silverlode::platform
