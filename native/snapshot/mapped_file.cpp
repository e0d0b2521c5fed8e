#include "snapshot/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "snapshot/file_descriptor.h"

namespace silverlode::snapshot {
namespace {

constexpr int64_t kAlignment = 64;

Status read_all(int descriptor, const std::string& path, uint8_t* data, int64_t size) {
  for (int64_t done = 0; done < size;) {
    const ssize_t n = ::read(descriptor, data + done, static_cast<size_t>(size - done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path, errno);
    if (n == 0) return make_error(Code::kIoError, "cannot read %s: it became shorter meanwhile", path.c_str());
    done += n;
  }
  return ok_status();
}

}  // namespace

Status MappedFile::open(const std::string& path, MappedFile& file) {
  // O_NONBLOCK: opening a pipe must fail below rather than wait for a writer.
  const FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return io_error("open", path, errno);
  struct stat info;
  if (::fstat(descriptor.get(), &info) != 0) return io_error("open", path, errno);
  if (S_ISDIR(info.st_mode)) return io_error("open", path, EISDIR);
  if (!S_ISREG(info.st_mode)) return make_error(Code::kIoError, "cannot open %s: not a regular file", path.c_str());
  if (info.st_size == 0) return make_error(Code::kIoError, "cannot open %s: the file is empty", path.c_str());

  MappedFile opened;
  opened.size_ = info.st_size;
  opened.mapped_ = opened.size_ >= kMapFrom;
  if (opened.mapped_) {
    // MAP_NORESERVE: a writable private mapping would otherwise be charged to the system's memory in full.
    void* address = ::mmap(nullptr, static_cast<size_t>(opened.size_), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_NORESERVE, descriptor.get(), 0);
    if (address == MAP_FAILED) return io_error("map", path, errno);
    opened.data_ = static_cast<uint8_t*>(address);
  } else {
    const int64_t capacity = (opened.size_ + kAlignment - 1) / kAlignment * kAlignment;
    opened.data_ = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, static_cast<size_t>(capacity)));
    if (opened.data_ == nullptr) return make_error(Code::kOutOfMemory, "no memory to read %s", path.c_str());
    const Status status = read_all(descriptor.get(), path, opened.data_, opened.size_);
    if (!status.ok()) return status;
  }
  file = std::move(opened);
  return ok_status();
}

MappedFile::~MappedFile() {
  if (mapped_ && data_ != nullptr) {
    ::munmap(data_, static_cast<size_t>(size_));
  } else {
    std::free(data_);
  }
}

void MappedFile::prefetch() const {
  if (mapped_) ::madvise(data_, static_cast<size_t>(size_), MADV_WILLNEED);
}

void MappedFile::swap(MappedFile& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
}

}  // namespace silverlode::snapshot
