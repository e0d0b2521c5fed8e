#include "backends/cpu/simd/float_kernels_of.h"
#include "backends/cpu/simd/vec_neon.h"

namespace silverlode::cpu {

const FloatKernels& float_kernels_neon() { return FloatKernelsOf<VecNeon>::kTable; }

}  // namespace silverlode::cpu
