#include "snapshot/atomic_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

namespace silverlode::snapshot {
namespace {

constexpr int kOpenAttempts = 100;
constexpr int64_t kMaxWriteBytes = 1 << 30;  // some systems refuse more than INT_MAX in one call

// Distinct between processes and calls for all practical purposes; O_EXCL settles the rest.
uint64_t random_name() {
  static std::atomic<uint64_t> calls{0};
  const uint64_t now = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  uint64_t bits = now ^ (static_cast<uint64_t>(::getpid()) << 32) ^ (++calls * 0x9E3779B97F4A7C15u);
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
  return bits ^ (bits >> 31);
}

// The rename itself lives in the folder, so it must be flushed too. Some file systems cannot; that is no failure.
int flush_folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder may be writable yet not readable (mode 0333): then there is nothing to flush it with.
  if (descriptor.get() < 0) return errno == EACCES ? 0 : errno;
  if (::fsync(descriptor.get()) == 0 || errno == EINVAL || errno == ENOTSUP) return 0;
  return errno;
}

}  // namespace

Status AtomicWriter::open(const std::string& path, AtomicWriter& writer) {
  AtomicWriter opened;
  opened.path_ = path;
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, ".%016llx.tmp", static_cast<unsigned long long>(random_name()));
    const std::string temporary = path + suffix;
    FileDescriptor descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (descriptor.get() < 0) {
      if (errno == EEXIST || errno == EINTR) continue;
      return io_error("write", path, errno);
    }
    opened.temporary_ = temporary;
    opened.descriptor_ = std::move(descriptor);
    writer = std::move(opened);
    return ok_status();
  }
  return io_error("write", path, EEXIST);
}

AtomicWriter& AtomicWriter::operator=(AtomicWriter&& other) noexcept {
  discard();
  path_ = std::exchange(other.path_, {});
  temporary_ = std::exchange(other.temporary_, {});
  descriptor_ = std::move(other.descriptor_);
  size_ = std::exchange(other.size_, 0);
  failure_ = std::exchange(other.failure_, {});
  return *this;
}

Status AtomicWriter::append(const void* data, int64_t bytes) {
  if (!failure_.ok()) return failure_;
  const uint8_t* at = static_cast<const uint8_t*>(data);
  for (int64_t left = bytes; left > 0;) {
    const ssize_t n = ::write(descriptor_.get(), at, static_cast<size_t>(std::min(left, kMaxWriteBytes)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("write", errno);
    at += n;
    left -= n;
    size_ += n;
  }
  return ok_status();
}

Status AtomicWriter::commit() {
  if (!failure_.ok()) return failure_;
  if (temporary_.empty()) return make_error(Code::kIoError, "cannot write %s: nothing is open", path_.c_str());
  if (::fsync(descriptor_.get()) != 0) return fail("write", errno);
  if (descriptor_.close() != 0) return fail("write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail("replace", errno);
  temporary_.clear();
  const int error = flush_folder(path_);
  return error == 0 ? ok_status() : fail("flush the folder of", error);
}

Status AtomicWriter::fail(const char* action, int error) {
  failure_ = io_error(action, path_, error);
  discard();
  return failure_;
}

void AtomicWriter::discard() {
  descriptor_.close();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

}  // namespace silverlode::snapshot
