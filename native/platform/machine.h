// What the machine offers this process. One implementation per system: machine_linux.cpp, machine_darwin.cpp,
// machine_windows.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace silverlode::platform {

int64_t memory_bytes();        // 0 when unknown
std::string processor_name();  // empty when unknown
// Cores (groups of hardware threads that share one) that this process may run on; 0 when unknown.
int32_t allowed_cores();
// Processors worth of time that the process is granted, as by a container; 0 for no limit.
double processor_quota();
// 64-bit Arm: int8 dot products and half precision arithmetic, which NEON kernels use.
bool has_arm_dot_products();

}  // namespace silverlode::platform
