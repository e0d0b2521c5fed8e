#include "backends/plugin_loader.h"

#include <cstdlib>
#include <mutex>

#include "backends/library_file.h"
#include "ops/backend_table.h"
#include "platform/library.h"

namespace silverlode {

namespace {

struct Loaded {
  const PluginTable* table = nullptr;
  std::string reason;
};

std::mutex installed_mutex;
std::string installed_file;  // guarded by installed_mutex

// Beside the addon lies the plugin that was built with it.
std::string plugin_file() {
  const std::string built = platform::own_folder() + "/silverlode_cuda.so";
  if (platform::file_exists(built)) return built;
  const std::lock_guard lock(installed_mutex);
  return installed_file;
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
  const std::string path = is_named ? named : plugin_file();
  if (path.empty()) {
    return {nullptr, "the CUDA plugin is not installed; on Linux x64 run: npm install @silverlode/linux-x64-cuda"};
  }
  if (is_named && !platform::file_exists(path)) {
    return {nullptr, "SILVERLODE_CUDA_PLUGIN names " + path + ", which does not exist"};
  }
  if (const std::string fault = library_fault(path); !fault.empty()) {
    return {nullptr, "the CUDA plugin " + path + " cannot be opened: " + fault};
  }
  std::string reason;
  void* library = platform::open_library(path, reason);
  if (library == nullptr) return {nullptr, "the CUDA plugin cannot be opened: " + reason};
  const auto entry = reinterpret_cast<PluginEntry>(platform::find_symbol(library, kPluginEntry));
  const PluginTable* table = entry == nullptr ? nullptr : entry();
  if (table == nullptr) {
    platform::close_library(library);
    return {nullptr, path + " is not a CUDA plugin of this package"};
  }
  if (!fits(*table)) {
    platform::close_library(library);
    return {nullptr, path + " was built for another version of this package; build both again"};
  }
  return {table, ""};
}

}  // namespace

void set_installed_cuda_plugin(const std::string& path) {
  const std::lock_guard lock(installed_mutex);
  installed_file = path;
}

const PluginTable* cuda_plugin(std::string& reason) {
  static const Loaded loaded = load();
  reason = loaded.reason;
  return loaded.table;
}

}  // namespace silverlode
