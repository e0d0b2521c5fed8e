#include "snapshot/atomic_writer.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include "snapshot/io_error.h"

namespace silverlode::snapshot {
namespace {

constexpr int kOpenAttempts = 100;

// Distinct between processes and calls for all practical purposes; create_new() settles the rest.
uint64_t random_name() {
  static std::atomic<uint64_t> calls{0};
  const uint64_t now = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  uint64_t bits = now ^ (platform::process_id() << 32) ^ (++calls * 0x9E3779B97F4A7C15u);
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
  return bits ^ (bits >> 31);
}

}  // namespace

Status AtomicWriter::open(const std::string& path, AtomicWriter& writer) {
  AtomicWriter opened;
  opened.path_ = path;
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, ".%016llx.tmp", static_cast<unsigned long long>(random_name()));
    const std::string temporary = path + suffix;
    platform::File file;
    const int error = file.create_new(temporary);
    if (error == EEXIST) continue;
    if (error != 0) return io_error("write", path, error);
    opened.temporary_ = temporary;
    opened.file_ = std::move(file);
    writer = std::move(opened);
    return ok_status();
  }
  return io_error("write", path, EEXIST);
}

AtomicWriter& AtomicWriter::operator=(AtomicWriter&& other) noexcept {
  discard();
  path_ = std::exchange(other.path_, {});
  temporary_ = std::exchange(other.temporary_, {});
  file_ = std::move(other.file_);
  size_ = std::exchange(other.size_, 0);
  failure_ = std::exchange(other.failure_, {});
  return *this;
}

Status AtomicWriter::append(const void* data, int64_t bytes) {
  if (!failure_.ok()) return failure_;
  if (const int error = file_.write(data, bytes); error != 0) return fail("write", error);
  size_ += bytes;
  return ok_status();
}

Status AtomicWriter::commit() {
  if (!failure_.ok()) return failure_;
  if (temporary_.empty()) return make_error(Code::kIoError, "cannot write %s: nothing is open", path_.c_str());
  if (const int error = file_.flush(); error != 0) return fail("write", error);
  if (const int error = file_.close(); error != 0) return fail("write", error);
  if (const int error = platform::replace_file(temporary_, path_); error != 0) return fail("replace", error);
  temporary_.clear();
  const int error = platform::flush_folder_of(path_);  // the rename lives in the folder
  return error == 0 ? ok_status() : fail("flush the folder of", error);
}

Status AtomicWriter::fail(const char* action, int error) {
  failure_ = io_error(action, path_, error);
  discard();
  return failure_;
}

void AtomicWriter::discard() {
  file_.close();
  if (!temporary_.empty()) platform::remove_file(temporary_);
  temporary_.clear();
}

}  // namespace silverlode::snapshot
