// Finds and opens the CUDA plugin, once, when something first asks about a GPU. Its absence is a sentence, never a failure.
#pragma once

#include <string>

#include "backends/plugin.h"

namespace silverlode {

// Where a package manager put the plugin. It is opened when SILVERLODE_CUDA_PLUGIN names no other and none lies beside the addon.
void set_installed_cuda_plugin(const std::string& path);

// Null when there is no usable plugin; then `reason` says why. The library stays open until the process ends.
const PluginTable* cuda_plugin(std::string& reason);

}  // namespace silverlode
