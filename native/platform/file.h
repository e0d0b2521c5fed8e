// Files, as model files and journals need them. One implementation per system: file_posix.cpp, file_windows.cpp.
//
// Paths are UTF-8. Functions that return an int return 0 or an errno, on every system.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace silverlode::platform {

struct FileInfo {
  bool regular = false;
  bool folder = false;
  int64_t size = 0;
};

// An open file; closed with its owner.
class File {
 public:
  File() = default;
  File(File&& other) noexcept : handle_(std::exchange(other.handle_, kNone)) {}
  File& operator=(File&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~File() { close(); }

  int open_to_read(const std::string& path);  // never waits, as for a pipe that nobody writes
  int create_new(const std::string& path);    // to write; EEXIST when there is something at `path`
  int describe(FileInfo& info) const;
  int read(void* data, int64_t bytes, int64_t& n) const;  // n < bytes only at the end of the file
  int write(const void* data, int64_t bytes) const;       // all of them
  int flush() const;                                      // to the device
  // Some file systems report a failed write only here.
  int close();
  // The first bytes of the file in memory of this process alone: writable, and the file never changes. Outlives this object.
  int map(int64_t bytes, uint8_t*& data) const;

 private:
  static constexpr intptr_t kNone = -1;

  intptr_t handle_ = kNone;
};

void unmap(uint8_t* data, int64_t bytes);
// Asks the system to start reading mapped memory ahead; a hint that may have no effect.
void prefetch_mapped(uint8_t* data, int64_t bytes);

// Afterwards `to` is what `from` was, at every moment either the old file or the new one.
int replace_file(const std::string& from, const std::string& to);
void remove_file(const std::string& path);
// Makes the name of a file durable: the folder holds it. No failure where the file system cannot.
int flush_folder_of(const std::string& path);

// Takes the exclusive lock of an open file without waiting; EWOULDBLOCK when another descriptor holds it. `descriptor` is one
// of Node's.
int lock_descriptor(int32_t descriptor);

uint64_t process_id();

}  // namespace silverlode::platform
