#include <windows.h>

#include <algorithm>
#include <cerrno>

#include "platform/file.h"
#include "platform/utf16_windows.h"

namespace silverlode::platform {
namespace {

constexpr int64_t kMaxBytes = 1 << 30;  // a call takes 32 bits
// Others may read, replace and remove a file that is open here, as on every other system.
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

HANDLE handle_of(intptr_t handle) { return reinterpret_cast<HANDLE>(handle); }

int to_errno(DWORD error) {
  switch (error) {
    case ERROR_SUCCESS: return 0;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_WRITE_PROTECT: return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_USER_MAPPED_FILE: return EBUSY;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING: return EWOULDBLOCK;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS: return EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL: return ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT: return ENOMEM;
    case ERROR_INVALID_NAME:
    case ERROR_INVALID_PARAMETER: return EINVAL;
    case ERROR_TOO_MANY_OPEN_FILES: return EMFILE;
    case ERROR_INVALID_HANDLE: return EBADF;
    default: return EIO;
  }
}

int result_of(BOOL done) { return done ? 0 : to_errno(GetLastError()); }

// Renames also over a file that is open or mapped, which plain MoveFileEx refuses; NTFS knows how since Windows 10.
int replace_as_posix(const std::wstring& from, const std::wstring& to) {
  constexpr auto kRenameInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);
  constexpr DWORD kReplaceAsPosix = 0x1 | 0x2;
  struct RenameInfo {  // FILE_RENAME_INFO with flags in place of ReplaceIfExists
    DWORD flags;
    HANDLE root;
    DWORD name_bytes;
    WCHAR name[1];
  };
  const HANDLE file = CreateFileW(from.c_str(), DELETE | SYNCHRONIZE, kShareAll, nullptr, OPEN_EXISTING, 0, nullptr);
  if (file == INVALID_HANDLE_VALUE) return to_errno(GetLastError());
  const size_t name_bytes = to.size() * sizeof(WCHAR);
  std::string buffer(sizeof(RenameInfo) + name_bytes, '\0');
  RenameInfo* info = reinterpret_cast<RenameInfo*>(buffer.data());
  info->flags = kReplaceAsPosix;
  info->name_bytes = static_cast<DWORD>(name_bytes);
  std::copy(to.begin(), to.end(), info->name);
  const BOOL done = SetFileInformationByHandle(file, kRenameInfoEx, info, static_cast<DWORD>(buffer.size()));
  const int error = result_of(done);
  CloseHandle(file);
  return error;
}

}  // namespace

int File::open_to_read(const std::string& path) {
  close();
  // FILE_FLAG_BACKUP_SEMANTICS: opens folders too, so that they can be told from what cannot be opened.
  const HANDLE opened = CreateFileW(utf16(path).c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING,
                                    FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return to_errno(GetLastError());
  handle_ = reinterpret_cast<intptr_t>(opened);
  return 0;
}

int File::create_new(const std::string& path) {
  close();
  const HANDLE opened = CreateFileW(utf16(path).c_str(), GENERIC_WRITE, kShareAll, nullptr, CREATE_NEW, 0, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return to_errno(GetLastError());
  handle_ = reinterpret_cast<intptr_t>(opened);
  return 0;
}

int File::describe(FileInfo& info) const {
  BY_HANDLE_FILE_INFORMATION found;
  if (GetFileType(handle_of(handle_)) != FILE_TYPE_DISK) {
    info = {};
    return 0;
  }
  if (!GetFileInformationByHandle(handle_of(handle_), &found)) return to_errno(GetLastError());
  const bool folder = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  info = {!folder, folder, static_cast<int64_t>(found.nFileSizeHigh) << 32 | found.nFileSizeLow};
  return 0;
}

int File::read(void* data, int64_t bytes, int64_t& n) const {
  for (n = 0; n < bytes;) {
    DWORD got = 0;
    const DWORD wanted = static_cast<DWORD>(std::min(bytes - n, kMaxBytes));
    if (!ReadFile(handle_of(handle_), static_cast<uint8_t*>(data) + n, wanted, &got, nullptr))
      return to_errno(GetLastError());
    if (got == 0) return 0;
    n += got;
  }
  return 0;
}

int File::write(const void* data, int64_t bytes) const {
  for (int64_t done = 0; done < bytes;) {
    DWORD n = 0;
    const DWORD wanted = static_cast<DWORD>(std::min(bytes - done, kMaxBytes));
    if (!WriteFile(handle_of(handle_), static_cast<const uint8_t*>(data) + done, wanted, &n, nullptr))
      return to_errno(GetLastError());
    done += n;
  }
  return 0;
}

int File::flush() const { return result_of(FlushFileBuffers(handle_of(handle_))); }

int File::close() {
  const intptr_t handle = std::exchange(handle_, kNone);
  return handle == kNone ? 0 : result_of(CloseHandle(handle_of(handle)));
}

int File::map(int64_t bytes, uint8_t*& data) const {
  const HANDLE section = CreateFileMappingW(handle_of(handle_), nullptr, PAGE_WRITECOPY, 0, 0, nullptr);
  if (section == nullptr) return to_errno(GetLastError());
  void* address = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, static_cast<size_t>(bytes));
  const int error = address == nullptr ? to_errno(GetLastError()) : 0;
  CloseHandle(section);  // the view keeps it
  if (error == 0) data = static_cast<uint8_t*>(address);
  return error;
}

void unmap(uint8_t* data, int64_t) { UnmapViewOfFile(data); }

void prefetch_mapped(uint8_t* data, int64_t bytes) {
  WIN32_MEMORY_RANGE_ENTRY range = {data, static_cast<size_t>(bytes)};
  PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

int replace_file(const std::string& from, const std::string& to) {
  const std::wstring source = utf16(from);
  const std::wstring target = utf16_absolute(to);
  if (replace_as_posix(source, target) == 0) return 0;
  // File systems without it: the reason of this second try is the one that counts.
  return result_of(MoveFileExW(source.c_str(), target.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
}

void remove_file(const std::string& path) { DeleteFileW(utf16(path).c_str()); }

int flush_folder_of(const std::string&) {
  return 0;
}  // NTFS keeps names in a log of its own; folders cannot be flushed

int lock_descriptor(int32_t descriptor) {
  // Descriptors belong to the C library inside the host; only it knows their handles.
  using GetHandle = HANDLE (*)(int);
  const FARPROC found = GetProcAddress(GetModuleHandleW(nullptr), "uv_get_osfhandle");
  if (found == nullptr) return ENOSYS;
  const HANDLE file = reinterpret_cast<GetHandle>(reinterpret_cast<void*>(found))(descriptor);
  // Locked bytes cannot be read or written by others here, so the lock lies far behind the end.
  OVERLAPPED at = {};
  at.OffsetHigh = 0x7fffffff;
  return result_of(LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at));
}

uint64_t process_id() { return GetCurrentProcessId(); }

}  // namespace silverlode::platform
