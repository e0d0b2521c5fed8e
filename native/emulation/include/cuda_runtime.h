// The CUDA language and runtime on the host: what a .cu file sees instead of the toolkit's header of this name.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#include "emulation/device/atomics.h"
#include "emulation/device/block.h"
#include "emulation/device/floating.h"
#include "emulation/device/integer.h"
#include "emulation/device/launch.h"
#include "emulation/device/tensor_core.h"
#include "emulation/device/thread.h"
#include "emulation/device/warp.h"
#include "emulation/runtime_api.h"

// __shared__ is missing on purpose: shared memory goes through shared_memory(), which fills it, guards it and checks it.
#define __global__
#define __device__
#define __host__
#define __constant__
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __forceinline__ inline
