// Activations that an op can apply to its result, and the unary elementwise ops. gelu is the exact form (erf);
// relu is 0 > x ? 0 : x, so NaN stays NaN.
#pragma once

#include <cstdint>

#include "core/status.h"

namespace silverlode {

enum class Activation : int32_t { kNone = 0, kRelu, kGelu, kSilu, kSigmoid, kTanh };

Status parse_activation(const char* name, Activation& activation);  // "none", "relu", ...

}  // namespace silverlode
