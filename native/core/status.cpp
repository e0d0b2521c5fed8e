#include "core/status.h"

#include <cstdio>

namespace silverlode {

const char* code_name(Code code) {
  switch (code) {
    case Code::kOk: return "OK";
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kShapeMismatch: return "SHAPE_MISMATCH";
    case Code::kUnsupportedDtype: return "UNSUPPORTED_DTYPE";
    case Code::kLimitExceeded: return "LIMIT_EXCEEDED";
    case Code::kDeviceUnavailable: return "DEVICE_UNAVAILABLE";
    case Code::kOutOfMemory: return "OUT_OF_MEMORY";
    case Code::kIoError: return "IO_ERROR";
    case Code::kCorruptFile: return "CORRUPT_FILE";
    case Code::kUnsupportedVersion: return "UNSUPPORTED_VERSION";
    case Code::kDisposed: return "DISPOSED";
    case Code::kAborted: return "ABORTED";
    case Code::kDeadline: return "DEADLINE";
    case Code::kCudaError: return "CUDA_ERROR";
    case Code::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

Status make_error(Code code, const char* format, ...) {
  Status status;
  status.code = code;
  va_list args;
  va_start(args, format);
  std::vsnprintf(status.text, sizeof status.text, format, args);
  va_end(args);
  return status;
}

}  // namespace silverlode
