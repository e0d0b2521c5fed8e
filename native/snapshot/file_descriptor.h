// What the files of this folder share: an owned file descriptor and the one form of an I/O error.
#pragma once

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

#include "core/status.h"

namespace silverlode::snapshot {

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor = -1) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const { return descriptor_; }
  // Result of close(2); some file systems report a failed write only here.
  int close() { return descriptor_ < 0 ? 0 : ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

// IO_ERROR "cannot <action> <path>: <strerror of error>".
inline Status io_error(const char* action, const std::string& path, int error) {
  // Not strerror(): models are loaded and saved from several threads.
  return make_error(Code::kIoError, "cannot %s %s: %s", action, path.c_str(),
                    std::generic_category().message(error).c_str());
}

}  // namespace silverlode::snapshot
