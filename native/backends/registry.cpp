#include "backends/registry.h"

#include <cstdio>
#include <cstdlib>

#include "backends/cpu/cpu_device.h"
#include "backends/plugin_device.h"
#include "backends/plugin_loader.h"
#include "platform/machine.h"

namespace silverlode {

namespace {

constexpr cpu::SimdLevel kLevels[] = {cpu::SimdLevel::kSerial, cpu::SimdLevel::kAvx2, cpu::SimdLevel::kAvx512Vnni,
                                      cpu::SimdLevel::kNeon};
constexpr int32_t kMaxThreads = 1024;

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

// One entry per GPU; where there is none, cuda:0 with the reason.
std::vector<DeviceInfo> list_gpus() {
  std::vector<DeviceInfo> all(1);
  all[0].id = "cuda:0";
  all[0].name = "CUDA";
  const PluginTable* plugin = cuda_plugin(all[0].reason);
  if (plugin == nullptr) return all;
  int32_t count = 0;
  if (const Status status = plugin->count(&count); !status.ok()) {
    all[0].reason = status.text;
    return all;
  }
  all.resize(static_cast<size_t>(count));
  for (int32_t ordinal = 0; ordinal < count; ++ordinal) {
    PluginDeviceInfo described;
    plugin->describe(ordinal, &described);
    DeviceInfo& info = all[static_cast<size_t>(ordinal)];
    info.id = place_name(ordinal);
    info.name = described.name;
    info.reason = described.reason;
    info.note = described.note;
    info.available = info.reason.empty();
    info.memory_bytes = described.memory_bytes;
    info.emulated = described.emulated;
    info.compute_capability =
        std::to_string(described.compute_capability / 10) + "." + std::to_string(described.compute_capability % 10);
  }
  return all;
}

Status open_gpu(const std::string& id, int32_t threads, bool graphs, std::unique_ptr<Device>& device) {
  const std::vector<DeviceInfo> all = list_gpus();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].id != id) continue;
    if (!all[i].available) return make_error(Code::kDeviceUnavailable, "%s: %s", id.c_str(), all[i].reason.c_str());
    std::string reason;
    return PluginDevice::open(*cuda_plugin(reason), static_cast<int32_t>(i), threads, graphs, device);
  }
  return make_error(Code::kDeviceUnavailable, "there is no device '%.32s'", id.c_str());
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  DeviceInfo info;
  info.id = "cpu";
  static const std::string name = platform::processor_name();
  info.name = name;
  info.threads = cpu::default_threads();
  info.memory_bytes = platform::memory_bytes();
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
  std::vector<DeviceInfo> all{info};
  for (DeviceInfo& gpu : list_gpus()) all.push_back(std::move(gpu));
  return all;
}

Status open_device(const std::string& id, const DeviceOptions& options, std::unique_ptr<Device>& device) {
  if (options.threads > kMaxThreads) {
    return make_error(Code::kInvalidArgument, "threads is %d, the limit is %d", options.threads, kMaxThreads);
  }
  const int32_t threads = options.threads > 0 ? options.threads : cpu::default_threads();
  const cpu::SimdTable* table = nullptr;
  if (Status status = pick_simd(options.simd, table); !status.ok()) return status;
  if (id != "cpu") return open_gpu(id, threads, options.graphs, device);
  device = std::make_unique<cpu::CpuDevice>(threads, *table);
  return ok_status();
}

}  // namespace silverlode
