// Reading candidates (ops/candidates.h) as rows of float32.
#pragma once

#include "backends/cpu/backend.h"
#include "ops/candidates.h"

namespace silverlode::cpu {

// Every index of a candidate that is not missing lies within its table.
Status check_candidate_indices(const char* op, const Candidates& candidates);

// Writes [i, f] of those among candidates `first` to `first + n` (counted over the whole batch) that are not missing to
// consecutive rows of `to`, `ld` elements apart. `present` gets their offsets from `first`. Returns their number.
int64_t gather_candidates(const FloatKernels& kernels, const Candidates& candidates, int64_t first, int64_t n,
                          int32_t* present, float* to, int64_t ld);

}  // namespace silverlode::cpu
