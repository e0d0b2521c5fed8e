// The one form of an I/O error.
#pragma once

#include <string>
#include <system_error>

#include "core/status.h"

namespace silverlode::snapshot {

// IO_ERROR "cannot <action> <path>: <strerror of error>".
inline Status io_error(const char* action, const std::string& path, int error) {
  // Not strerror(): models are loaded and saved from several threads.
  return make_error(Code::kIoError, "cannot %s %s: %s", action, path.c_str(),
                    std::generic_category().message(error).c_str());
}

}  // namespace silverlode::snapshot
