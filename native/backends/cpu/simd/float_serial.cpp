#include "backends/cpu/simd/float_kernels_of.h"
#include "backends/cpu/simd/vec_serial.h"

namespace silverlode::cpu {

const FloatKernels& float_kernels_serial() { return FloatKernelsOf<VecSerial>::kTable; }

}  // namespace silverlode::cpu
