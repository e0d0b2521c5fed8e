// What an x86 processor offers and the system saves on a switch of threads. Asked from the processor, not by
// __builtin_cpu_supports: the runtime library of some compilers answers no to everything.
#pragma once

#if defined(__x86_64__)

#include <cpuid.h>

#include <cstdint>

namespace silverlode::cpu {

class Cpuid {
 public:
  Cpuid() {
    uint32_t eax = 0, ebx = 0, edx = 0;
    if (!__get_cpuid_count(1, 0, &eax, &ebx, &basic_ecx_, &edx)) return;
    if (!__get_cpuid_count(7, 0, &eax, &extended_ebx_, &extended_ecx_, &edx)) return;
    constexpr uint32_t kSystemSavesVectors = 1u << 27;
    if (basic_ecx_ & kSystemSavesVectors) {
      uint32_t high = 0;
      asm("xgetbv" : "=a"(saved_), "=d"(high) : "c"(0));
    }
  }

  // AVX2, FMA, F16C, BMI2, POPCNT.
  bool avx2() const {
    constexpr uint32_t kBasic = 1u << 12 | 1u << 23 | 1u << 28 | 1u << 29;  // FMA, POPCNT, AVX, F16C
    constexpr uint32_t kExtended = 1u << 5 | 1u << 8;                       // AVX2, BMI2
    return has(saved_, kYmm) && has(basic_ecx_, kBasic) && has(extended_ebx_, kExtended);
  }

  // The above and AVX-512 F, DQ, BW, VL, VBMI2, VNNI, VPOPCNTDQ.
  bool avx512vnni() const {
    constexpr uint32_t kEbx = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    constexpr uint32_t kEcx = 1u << 6 | 1u << 11 | 1u << 14;              // VBMI2, VNNI, VPOPCNTDQ
    return avx2() && has(saved_, kZmm) && has(extended_ebx_, kEbx) && has(extended_ecx_, kEcx);
  }

 private:
  static constexpr uint32_t kYmm = 1u << 1 | 1u << 2;
  static constexpr uint32_t kZmm = kYmm | 1u << 5 | 1u << 6 | 1u << 7;

  static bool has(uint32_t bits, uint32_t wanted) { return (bits & wanted) == wanted; }

  uint32_t basic_ecx_ = 0;
  uint32_t extended_ebx_ = 0;
  uint32_t extended_ecx_ = 0;
  uint32_t saved_ = 0;  // by the system: bits of XCR0
};

}  // namespace silverlode::cpu

#endif
