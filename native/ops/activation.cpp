#include "ops/activation.h"

#include <cstring>
#include <iterator>

namespace silverlode {

Status parse_activation(const char* name, Activation& activation) {
  static constexpr const char* kNames[] = {"none", "relu", "gelu", "silu", "sigmoid", "tanh"};
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(kNames)); ++i) {
    if (std::strcmp(name, kNames[i]) == 0) {
      activation = static_cast<Activation>(i);
      return ok_status();
    }
  }
  return make_error(Code::kInvalidArgument,
                    "unknown activation '%.64s': expected none, relu, gelu, silu, sigmoid or tanh", name);
}

}  // namespace silverlode
