#include "backends/plugin_loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

#include "backends/library_file.h"

namespace silverlode {

namespace {

struct Loaded {
  const PluginTable* table = nullptr;
  std::string reason;
};

// The folder of the binary that this code is part of.
std::string own_folder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Built from other headers than ours: its tables would be misread.
bool fits(const PluginTable& table) {
  return table.version == kPluginVersion && table.backend_table_version == kBackendTableVersion &&
         table.plugin_table_bytes == sizeof(PluginTable) && table.backend_table_bytes == sizeof(BackendTable) &&
         table.status_bytes == sizeof(Status) && table.context_bytes == sizeof(Context);
}

Loaded load() {
  const char* named = std::getenv("SILVERLODE_CUDA_PLUGIN");
  const bool is_named = named != nullptr && *named != '\0';
  const std::string path = is_named ? named : own_folder() + "/silverlode_cuda.so";
  if (access(path.c_str(), F_OK) != 0) {
    if (is_named) return {nullptr, "SILVERLODE_CUDA_PLUGIN names " + path + ", which does not exist"};
    return {nullptr, "the CUDA plugin is not built; build the package where nvcc is installed"};
  }
  if (const std::string fault = library_fault(path); !fault.empty()) {
    return {nullptr, "the CUDA plugin " + path + " cannot be opened: " + fault};
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* error = dlerror();
    return {nullptr, "the CUDA plugin cannot be opened: " + std::string(error == nullptr ? path.c_str() : error)};
  }
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, kPluginEntry));
  const PluginTable* table = entry == nullptr ? nullptr : entry();
  if (table == nullptr) {
    dlclose(library);
    return {nullptr, path + " is not a CUDA plugin of this package"};
  }
  if (!fits(*table)) {
    dlclose(library);
    return {nullptr, path + " was built for another version of this package; build both again"};
  }
  return {table, ""};
}

}  // namespace

const PluginTable* cuda_plugin(std::string& reason) {
  static const Loaded loaded = load();
  reason = loaded.reason;
  return loaded.table;
}

}  // namespace silverlode
