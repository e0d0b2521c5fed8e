#include "backends/registry.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "backends/cpu/backend.h"

namespace silverlode {

namespace {

constexpr cpu::SimdLevel kLevels[] = {cpu::SimdLevel::kSerial, cpu::SimdLevel::kAvx2, cpu::SimdLevel::kAvx512Vnni,
                                      cpu::SimdLevel::kNeon};
constexpr int32_t kMaxThreads = 1024;

class CpuDevice final : public Device {
 public:
  CpuDevice(int32_t threads, const cpu::SimdTable& simd) : pool_(threads), runtime_{pool_, simd} {}

  const BackendTable& table() const override { return cpu::backend_table(); }
  void* backend() const override { return const_cast<cpu::Runtime*>(&runtime_); }
  int32_t threads() const override { return pool_.threads(); }
  const char* variant() const override { return runtime_.simd.name; }
  void parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) override {
    pool_.parallel_for(n, [=](int64_t i, int32_t) { body(self, i); });
  }

 private:
  cpu::ThreadPool pool_;
  cpu::Runtime runtime_;
};

// An unknown or unsupported name is an error, so that a typo never silently measures the wrong level.
Status pick_simd(const std::string& wanted, const cpu::SimdTable*& table) {
  const char* from_environment = std::getenv("SILVERLODE_SIMD");
  const std::string name = !wanted.empty() ? wanted : from_environment != nullptr ? from_environment : "";
  if (name.empty()) {
    table = &cpu::simd_table(cpu::best_simd_level());
    return ok_status();
  }
  std::string known;
  for (cpu::SimdLevel level : kLevels) {
    if (!cpu::simd_supported(level)) continue;
    const cpu::SimdTable& candidate = cpu::simd_table(level);
    if (name == candidate.name) {
      table = &candidate;
      return ok_status();
    }
    known += std::string(known.empty() ? "" : ", ") + candidate.name;
  }
  return make_error(Code::kInvalidArgument, "SIMD level '%.32s' is not supported here; supported: %s", name.c_str(),
                    known.c_str());
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "CPU";
}

int64_t memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? static_cast<int64_t>(pages) * page : 0;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  DeviceInfo info;
  info.id = "cpu";
  static const std::string name = processor_name();
  info.name = name;
  info.threads = cpu::default_threads();
  info.memory_bytes = memory_bytes();
  for (cpu::SimdLevel level : kLevels) {
    if (cpu::simd_supported(level)) info.simd_levels.push_back(cpu::simd_table(level).name);
  }
  const cpu::SimdTable* table = nullptr;
  const Status status = pick_simd("", table);
  info.available = status.ok();
  if (status.ok()) {
    info.simd = table->name;
  } else {
    info.reason = status.text;
  }
  DeviceInfo cuda;
  cuda.id = "cuda:0";
  cuda.name = "CUDA";
  cuda.reason = "the CUDA backend is not part of this build";
  return {info, cuda};
}

Status open_device(const std::string& id, int32_t threads, const std::string& simd, std::unique_ptr<Device>& device) {
  if (id != "cpu") {
    for (const DeviceInfo& info : list_devices()) {
      if (info.id == id) return make_error(Code::kDeviceUnavailable, "%s: %s", id.c_str(), info.reason.c_str());
    }
    return make_error(Code::kDeviceUnavailable, "there is no device '%.32s'", id.c_str());
  }
  const cpu::SimdTable* table = nullptr;
  if (Status status = pick_simd(simd, table); !status.ok()) return status;
  if (threads > kMaxThreads) {
    return make_error(Code::kInvalidArgument, "threads is %d, the limit is %d", threads, kMaxThreads);
  }
  device = std::make_unique<CpuDevice>(threads > 0 ? threads : cpu::default_threads(), *table);
  return ok_status();
}

}  // namespace silverlode
