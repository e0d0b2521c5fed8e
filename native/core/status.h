// The only error type inside native/. A Status is plain data, so it crosses the plugin border by value.
#pragma once

#include <cstdarg>
#include <cstdint>

namespace silverlode {

enum class Code : int32_t {
  kOk = 0,
  kInvalidArgument,
  kShapeMismatch,
  kUnsupportedDtype,
  kLimitExceeded,
  kDeviceUnavailable,
  kOutOfMemory,
  kIoError,
  kCorruptFile,
  kUnsupportedVersion,
  kDisposed,
  kAborted,
  kDeadline,
  kCudaError,
  kInternal,
};

// Name of a code as users see it in SilverlodeError.code, e.g. "SHAPE_MISMATCH".
const char* code_name(Code code);

struct [[nodiscard]] Status {
  Code code = Code::kOk;
  char text[244];

  // Dozens of checks succeed in every run, so only the first character is written.
  Status() { text[0] = '\0'; }

  bool ok() const { return code == Code::kOk; }
};

inline Status ok_status() { return {}; }

// printf-style message; longer texts are cut.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
Status make_error(Code code, const char* format, ...);

}  // namespace silverlode
