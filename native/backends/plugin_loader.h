// Finds and opens the CUDA plugin, once, when something first asks about a GPU. Its absence is a sentence, never a failure.
#pragma once

#include <string>

#include "backends/plugin.h"

namespace silverlode {

// Null when there is no usable plugin; then `reason` says why. The library stays open until the process ends.
const PluginTable* cuda_plugin(std::string& reason);

}  // namespace silverlode
