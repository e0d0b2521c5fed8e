#include "snapshot/mapped_file.h"

#include <cerrno>
#include <utility>

#include "core/aligned.h"
#include "platform/file.h"
#include "snapshot/io_error.h"

namespace silverlode::snapshot {

Status MappedFile::open(const std::string& path, MappedFile& file) {
  platform::File source;
  platform::FileInfo info;
  if (const int error = source.open_to_read(path); error != 0) return io_error("open", path, error);
  if (const int error = source.describe(info); error != 0) return io_error("open", path, error);
  if (info.folder) return io_error("open", path, EISDIR);
  if (!info.regular) return make_error(Code::kIoError, "cannot open %s: not a regular file", path.c_str());
  if (info.size == 0) return make_error(Code::kIoError, "cannot open %s: the file is empty", path.c_str());

  MappedFile opened;
  opened.size_ = info.size;
  opened.mapped_ = opened.size_ >= kMapFrom;
  if (opened.mapped_) {
    if (const int error = source.map(opened.size_, opened.data_); error != 0) return io_error("map", path, error);
  } else {
    opened.data_ = static_cast<uint8_t*>(allocate_aligned(static_cast<size_t>(opened.size_)).release());
    if (opened.data_ == nullptr) return make_error(Code::kOutOfMemory, "no memory to read %s", path.c_str());
    int64_t n = 0;
    if (const int error = source.read(opened.data_, opened.size_, n); error != 0) return io_error("read", path, error);
    if (n < opened.size_)
      return make_error(Code::kIoError, "cannot read %s: it became shorter meanwhile", path.c_str());
  }
  file = std::move(opened);
  return ok_status();
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  if (mapped_) {
    platform::unmap(data_, size_);
  } else {
    FreeMemory()(data_);
  }
}

void MappedFile::prefetch() const {
  if (mapped_) platform::prefetch_mapped(data_, size_);
}

void MappedFile::swap(MappedFile& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
}

}  // namespace silverlode::snapshot
