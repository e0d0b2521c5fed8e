// Shared libraries opened at run time. One implementation per system: library_posix.cpp, library_windows.cpp.
#pragma once

#include <string>

namespace silverlode::platform {

// Null when it cannot be opened; then `reason` says why.
void* open_library(const std::string& path, std::string& reason);
void* find_symbol(void* library, const char* name);  // null when there is none
void close_library(void* library);

bool file_exists(const std::string& path);
// The folder of the binary that this code is part of.
std::string own_folder();

}  // namespace silverlode::platform
