// Kernels with one defect each, for the tests that the emulation finds it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace silverlode::device_test {

// Each launches its kernel on `out` (64 words on the device) and waits.
struct PlantedBug {
  const char* name;
  cudaError_t (*launch)(uint32_t* out);
};

const PlantedBug* find_planted_bug(const char* name);

}  // namespace silverlode::device_test
