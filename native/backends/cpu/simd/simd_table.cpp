// Which instruction sets this build holds and this processor offers. Compiled without any ISA flag, since it runs first.
#include "backends/cpu/simd/simd_table.h"

#include "backends/cpu/simd/cpuid.h"
#include "platform/machine.h"

namespace silverlode::cpu {

namespace {

#if defined(__x86_64__)

const Cpuid& cpuid() {
  static const Cpuid asked;
  return asked;
}

#endif

}  // namespace

bool simd_supported(SimdLevel level) {
  switch (level) {
    case SimdLevel::kSerial: return true;
#if defined(__x86_64__)
    case SimdLevel::kAvx2: return cpuid().avx2();
    case SimdLevel::kAvx512Vnni: return cpuid().avx512vnni();
#elif defined(__aarch64__)
    case SimdLevel::kNeon: return platform::has_arm_dot_products();
#endif
    default: return false;
  }
}

SimdLevel best_simd_level() {
  for (SimdLevel level : {SimdLevel::kNeon, SimdLevel::kAvx512Vnni, SimdLevel::kAvx2}) {
    if (simd_supported(level)) return level;
  }
  return SimdLevel::kSerial;
}

const SimdTable& simd_table(SimdLevel level) {
  static const SimdTable serial = {SimdLevel::kSerial, "serial", int8_kernels_serial(), float_kernels_serial(),
                                   filter_kernels_serial()};
#if defined(__x86_64__)
  static const SimdTable avx2 = {SimdLevel::kAvx2, "avx2", int8_kernels_avx2(), float_kernels_avx2(),
                                 filter_kernels_avx2()};
  static const SimdTable avx512 = {SimdLevel::kAvx512Vnni, "avx512vnni", int8_kernels_avx512vnni(),
                                   float_kernels_avx512vnni(), filter_kernels_avx512vnni()};
  if (level == SimdLevel::kAvx2) return avx2;
  if (level == SimdLevel::kAvx512Vnni) return avx512;
#elif defined(__aarch64__)
  static const SimdTable neon = {SimdLevel::kNeon, "neon", int8_kernels_neon(), float_kernels_neon(),
                                 filter_kernels_neon()};
  if (level == SimdLevel::kNeon) return neon;
#endif
  return serial;
}

}  // namespace silverlode::cpu
