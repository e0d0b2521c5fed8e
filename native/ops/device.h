// An open device as programs see it: its table of ops, its memory, and how a run goes there. The CPU is one of them; what a
// GPU does asynchronously it does at once.
#pragma once

#include <memory>

#include "ops/op.h"

namespace silverlode {

struct BackendTable;

// Where bytes are: in host memory, or on the GPU of that number.
using Place = int32_t;
constexpr Place kHost = -1;

// One run at a time (see Executor). A run is: begin_run, then copies and ops in order, then finish_run. Only finish_run waits;
// the memory that copies name must stay as it is until then.
class Device {
 public:
  virtual ~Device() = default;

  virtual const BackendTable& table() const = 0;
  virtual void* backend() const = 0;        // Context::backend of its ops
  virtual int32_t threads() const = 0;      // compute threads of the host
  virtual const char* variant() const = 0;  // CPU: the SIMD level in use; GPU: its compute capability
  // Calls body(i) for i in [0, n), on the host's compute threads.
  virtual void parallel_for(int64_t n, void (*body)(void* self, int64_t i), void* self) = 0;

  // Where its ops read and write.
  virtual Place place() const = 0;
  // At least 64-byte aligned, contents undefined; freed with its last share, which may outlive the device.
  virtual Status allocate(size_t bytes, std::shared_ptr<void>& memory) = 0;

  virtual Status begin_run() = 0;
  virtual Status upload(void* to, const void* from_host, size_t bytes) = 0;
  virtual Status download(void* to_host, const void* from, size_t bytes) = 0;  // there when finish_run returns
  virtual Status copy(void* to, const void* from, size_t bytes) = 0;           // inside the device, or from another GPU
  // Waits for everything since begin_run. Errors that only the data could tell come from here. Ends a run that failed too.
  virtual Status finish_run() = 0;

  // What is enqueued between begin_recording and end_recording is kept instead of done, and done by replay: with the same
  // addresses and sizes. end_recording re-uses `recording` where there is one and always ends, also after an error.
  virtual bool records() const = 0;
  virtual Status begin_recording() = 0;
  virtual Status end_recording(std::shared_ptr<void>& recording) = 0;
  virtual Status replay(const std::shared_ptr<void>& recording) = 0;

  // What is enqueued between them belongs together, for profilers of the device. May be nested.
  virtual void begin_range(const char* name) = 0;
  virtual void end_range() = 0;

  // Notes when everything enqueued so far is done; after finish_run, milliseconds from mark `index` to the next one.
  virtual Status mark(size_t index) = 0;
  virtual Status elapsed(size_t index, double& milliseconds) = 0;
};

}  // namespace silverlode
