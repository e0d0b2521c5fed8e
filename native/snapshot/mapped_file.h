// A whole file as bytes in memory, for tensors that point into it.
//
// Files below kMapFrom are read into 64-byte aligned memory; larger ones are mapped privately: writable, so that
// tensors can be updated in place, while the file itself is never touched. Replace a model file by rename (AtomicWriter
// does): a mapped file that is truncated in place makes later reads of its lost pages fatal (SIGBUS), and one that is
// rewritten in place may change under its readers.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"

namespace silverlode::snapshot {

class MappedFile {
 public:
  static constexpr int64_t kMapFrom = 1 << 20;

  // Fails with IO_ERROR, naming the path and the reason, unless `path` is a readable, regular, non-empty file.
  static Status open(const std::string& path, MappedFile& file);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    swap(other);
    return *this;
  }
  ~MappedFile();

  uint8_t* data() const { return data_; }  // at least 64-byte aligned
  int64_t size() const { return size_; }
  bool mapped() const { return mapped_; }

  // Asks the system to start reading the whole file ahead; a hint that may have no effect.
  void prefetch() const;

 private:
  void swap(MappedFile& other) noexcept;

  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
  bool mapped_ = false;
};

}  // namespace silverlode::snapshot
