#include "backends/cpu/simd/float_kernels_of.h"
#include "backends/cpu/simd/vec_avx2.h"

namespace silverlode::cpu {

const FloatKernels& float_kernels_avx2() { return FloatKernelsOf<VecAvx2>::kTable; }

}  // namespace silverlode::cpu
