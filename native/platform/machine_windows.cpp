#include <windows.h>

#include <bit>
#include <vector>

#include "platform/machine.h"
#include "platform/utf16_windows.h"

namespace silverlode::platform {

int64_t memory_bytes() {
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<int64_t>(status.ullTotalPhys) : 0;
}

std::string processor_name() {
  wchar_t name[128];
  DWORD bytes = sizeof name;
  const LSTATUS status = RegGetValueW(HKEY_LOCAL_MACHINE, L"HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                                      L"ProcessorNameString", RRF_RT_REG_SZ, nullptr, name, &bytes);
  return status == ERROR_SUCCESS ? utf8(name) : "";
}

int32_t allowed_cores() {
  DWORD_PTR allowed = 0, system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &allowed, &system)) return 0;
  DWORD bytes = 0;
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> all(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (all.empty() || !GetLogicalProcessorInformation(all.data(), &bytes)) return std::popcount(allowed);
  int32_t cores = 0;
  for (const auto& each : all)
    cores += each.Relationship == RelationProcessorCore && (each.ProcessorMask & allowed) != 0;
  return cores;
}

double processor_quota() { return 0; }

bool has_arm_dot_products() { return false; }

}  // namespace silverlode::platform
