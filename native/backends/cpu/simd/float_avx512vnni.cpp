#include "backends/cpu/simd/float_kernels_of.h"
#include "backends/cpu/simd/vec_avx512vnni.h"

namespace silverlode::cpu {

const FloatKernels& float_kernels_avx512vnni() { return FloatKernelsOf<VecAvx512>::kTable; }

}  // namespace silverlode::cpu
