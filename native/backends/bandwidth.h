// The memory ceiling of a device, measured: what profiles compare stages with.
#pragma once

#include "backends/registry.h"

namespace silverlode {

// Bytes per second that all compute threads read from a buffer far larger than the caches, best of a few passes; about 50 ms.
// 0 when memory is short.
double measure_read_bandwidth(Device& device);

}  // namespace silverlode
