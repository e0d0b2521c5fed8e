// The memory ceiling of a device, measured: what profiles compare stages with.
#pragma once

#include "ops/device.h"

namespace silverlode {

// Bytes per second, best of a few passes over a buffer far larger than the caches: on the CPU what all compute threads read
// (about 50 ms), on a GPU what a copy inside it reads and writes. 0 when host memory is short.
Status measure_read_bandwidth(Device& device, double& bytes_per_second);

}  // namespace silverlode
