#include <windows.h>

#include "platform/library.h"
#include "platform/utf16_windows.h"

namespace silverlode::platform {

void* open_library(const std::string& path, std::string& reason) {
  const HMODULE library = LoadLibraryW(utf16(path).c_str());
  if (library == nullptr) reason = path + ": error " + std::to_string(GetLastError());
  return library;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void close_library(void* library) { FreeLibrary(static_cast<HMODULE>(library)); }

bool file_exists(const std::string& path) { return GetFileAttributesW(utf16(path).c_str()) != INVALID_FILE_ATTRIBUTES; }

std::string own_folder() {
  constexpr DWORD kByAddress = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  HMODULE own = nullptr;
  std::wstring path(32768, L'\0');  // the longest that Windows knows
  if (!GetModuleHandleExW(kByAddress, reinterpret_cast<LPCWSTR>(&own_folder), &own)) return ".";
  path.resize(GetModuleFileNameW(own, path.data(), static_cast<DWORD>(path.size())));
  const size_t slash = path.find_last_of(L"\\/");
  return slash == std::wstring::npos ? "." : utf8(path.substr(0, slash));
}

}  // namespace silverlode::platform
