// Writes a file so that its path holds either the old content or all of the new one, also after a crash.
//
// The bytes go to `<path>.<random>.tmp` in the same folder (mode 0644 less the umask); commit() flushes them to the
// device, renames the file over `path` and flushes the folder. Without a commit the temporary file is removed. A
// symbolic link at `path` is itself replaced.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"
#include "platform/file.h"

namespace silverlode::snapshot {

class AtomicWriter {
 public:
  // Fails with IO_ERROR, naming the path and the reason; so do the other calls.
  static Status open(const std::string& path, AtomicWriter& writer);

  AtomicWriter() = default;
  AtomicWriter(AtomicWriter&& other) noexcept { *this = std::move(other); }
  AtomicWriter& operator=(AtomicWriter&& other) noexcept;
  ~AtomicWriter() { discard(); }

  Status append(const void* data, int64_t bytes);
  // After a failed append() nothing is committed and the first error is returned again.
  Status commit();

  int64_t size() const { return size_; }  // bytes appended so far

 private:
  Status fail(const char* action, int error);
  void discard();

  std::string path_;
  std::string temporary_;  // empty when there is no temporary file (any more)
  platform::File file_;
  int64_t size_ = 0;
  Status failure_;
};

}  // namespace silverlode::snapshot
