#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "platform/file.h"

#if !defined(MAP_NORESERVE)  // macOS never charges for memory ahead
#define MAP_NORESERVE 0
#endif

namespace silverlode::platform {
namespace {

constexpr int64_t kMaxBytes = 1 << 30;  // some systems refuse more than INT_MAX in one call

int result_of(int status) { return status == 0 ? 0 : errno; }

}  // namespace

int File::open_to_read(const std::string& path) {
  close();
  handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  return handle_ < 0 ? errno : 0;
}

int File::create_new(const std::string& path) {
  close();
  do {
    handle_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } while (handle_ < 0 && errno == EINTR);
  return handle_ < 0 ? errno : 0;
}

int File::describe(FileInfo& info) const {
  struct stat found;
  if (::fstat(static_cast<int>(handle_), &found) != 0) return errno;
  info = {S_ISREG(found.st_mode), S_ISDIR(found.st_mode), found.st_size};
  return 0;
}

int File::read(void* data, int64_t bytes, int64_t& n) const {
  for (n = 0; n < bytes;) {
    const size_t wanted = static_cast<size_t>(std::min(bytes - n, kMaxBytes));
    const ssize_t got = ::read(static_cast<int>(handle_), static_cast<uint8_t*>(data) + n, wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    n += got;
  }
  return 0;
}

int File::write(const void* data, int64_t bytes) const {
  for (int64_t done = 0; done < bytes;) {
    const size_t wanted = static_cast<size_t>(std::min(bytes - done, kMaxBytes));
    const ssize_t n = ::write(static_cast<int>(handle_), static_cast<const uint8_t*>(data) + done, wanted);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    done += n;
  }
  return 0;
}

int File::flush() const { return result_of(::fsync(static_cast<int>(handle_))); }

int File::close() {
  const intptr_t handle = std::exchange(handle_, kNone);
  return handle == kNone ? 0 : result_of(::close(static_cast<int>(handle)));
}

int File::map(int64_t bytes, uint8_t*& data) const {
  // MAP_NORESERVE: a writable private mapping would otherwise be charged to the system's memory in full.
  void* address = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                         static_cast<int>(handle_), 0);
  if (address == MAP_FAILED) return errno;
  data = static_cast<uint8_t*>(address);
  return 0;
}

void unmap(uint8_t* data, int64_t bytes) { ::munmap(data, static_cast<size_t>(bytes)); }

void prefetch_mapped(uint8_t* data, int64_t bytes) { ::madvise(data, static_cast<size_t>(bytes), MADV_WILLNEED); }

int replace_file(const std::string& from, const std::string& to) {
  return result_of(::rename(from.c_str(), to.c_str()));
}

void remove_file(const std::string& path) { ::unlink(path.c_str()); }

int flush_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder may be writable yet not readable (mode 0333): then there is nothing to flush it with.
  if (descriptor < 0) return errno == EACCES ? 0 : errno;
  const int error = result_of(::fsync(descriptor));
  ::close(descriptor);
  return error == EINVAL || error == ENOTSUP ? 0 : error;
}

int lock_descriptor(int32_t descriptor) { return result_of(::flock(descriptor, LOCK_EX | LOCK_NB)); }

uint64_t process_id() { return static_cast<uint64_t>(::getpid()); }

}  // namespace silverlode::platform
