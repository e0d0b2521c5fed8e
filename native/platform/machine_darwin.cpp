#include <sys/sysctl.h>

#include "platform/machine.h"

namespace silverlode::platform {
namespace {

int64_t number_of(const char* name) {
  int64_t value = 0;  // fields of 4 bytes fill the lower half
  size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

int64_t memory_bytes() { return number_of("hw.memsize"); }

std::string processor_name() {
  char name[128];
  size_t bytes = sizeof name;
  return sysctlbyname("machdep.cpu.brand_string", name, &bytes, nullptr, 0) == 0 ? std::string(name) : "";
}

int32_t allowed_cores() { return static_cast<int32_t>(number_of("hw.physicalcpu")); }

double processor_quota() { return 0; }

bool has_arm_dot_products() {
  return number_of("hw.optional.arm.FEAT_DotProd") != 0 && number_of("hw.optional.arm.FEAT_FP16") != 0;
}

}  // namespace silverlode::platform
