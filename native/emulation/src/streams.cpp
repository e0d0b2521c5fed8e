#include "emulation/src/streams.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <thread>

#include "emulation/settings.h"
#include "emulation/src/memory.h"

namespace silverlode::emulation {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(2);
// How long nobody may touch the device before the ticker does a step.
constexpr auto kPatience = std::chrono::milliseconds(10);

struct Streams {
  std::vector<std::unique_ptr<CUstream_st>> all;  // in order of creation
  CUstream_st legacy;
  std::condition_variable progress;
  Clock::time_point last_use;
  uint64_t random = 0;
};

Streams& streams() {
  static auto* const kStreams = new Streams;  // never freed: host threads may outlive static destructors
  return *kStreams;
}

// In lazy and random mode somebody must go on when every host thread waits for a callback, as an event loop does.
class Ticker {
 public:
  Ticker() : thread_([this] { run(); }) {}
  ~Ticker() {
    {
      const Lock lock(device_mutex());
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void run() {
    Lock lock(device_mutex());
    while (!stopping_) {
      wake_.wait_for(lock, kTick);
      if (stopping_ || Clock::now() - streams().last_use < kPatience) continue;
      for (const auto& stream : streams().all) {
        if (!stream->busy && advance(lock, *stream)) break;
      }
    }
  }

  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

double now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

// Runs without the lock: it may take a lock of the program that another thread holds while it calls this API.
cudaError_t run_host_function(Lock& lock, const Operation& operation) {
  in_host_function() = true;
  lock.unlock();
  const cudaError_t error = operation.run();
  lock.lock();
  in_host_function() = false;
  return error;
}

void execute(Lock& lock, const Operation& operation) {
  if (device_fault() == cudaSuccess && operation.run) {
    cudaError_t error = cudaSuccess;
    if (operation.type == cudaGraphNodeTypeHost) {
      error = run_host_function(lock, operation);
    } else {
      const DeviceAccess access;
      error = operation.run();
    }
    if (error != cudaSuccess) set_fault(error);
  }
  if (operation.records == nullptr) return;
  operation.records->seconds = now();
  operation.records->passed = true;
}

// Streams that work together with the legacy default stream.
bool is_blocking(const CUstream_st& stream) { return (stream.flags & cudaStreamNonBlocking) == 0; }

cudaError_t enqueue_legacy(Lock& lock, Operation operation) {
  for (const auto& stream : streams().all) {
    if (!is_blocking(*stream)) continue;
    if (stream->capture != nullptr) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
    drain(lock, *stream);
  }
  streams().legacy.queue.push_back(std::move(operation));
  drain(lock, streams().legacy);
  return cudaSuccess;
}

cudaError_t add_node(CUstream_st& stream, Operation operation) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  auto& nodes = stream.capture->graph->nodes;
  nodes.push_back(std::make_unique<CUgraphNode_st>(CUgraphNode_st{std::move(operation), stream.tail}));
  stream.tail = {nodes.size() - 1};
  return cudaSuccess;
}

void run_some(Lock& lock) {
  for (size_t i = 0; i < streams().all.size(); ++i) {
    if (stream_random() % 4 != 0) continue;
    CUstream_st& stream = *streams().all[i];
    for (uint64_t steps = stream_random() % 4; steps > 0 && !stream.busy && advance(lock, stream);) --steps;
  }
}

template <typename Disturbed>
cudaError_t invalidate_captures(Disturbed disturbed) {
  cudaError_t error = cudaSuccess;
  for (const auto& stream : streams().all) {
    if (stream->capture == nullptr || !disturbed(*stream->capture)) continue;
    stream->capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

}  // namespace

uint64_t stream_random() {
  uint64_t& state = streams().random;
  if (state == 0) state = (settings().streams_seed + 1) * 0x9E3779B97F4A7C15u | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

cudaError_t enqueue(Lock& lock, cudaStream_t handle, Operation operation) {
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  streams().last_use = Clock::now();
  if (stream == &streams().legacy) return enqueue_legacy(lock, std::move(operation));
  if (stream->capture != nullptr) return add_node(*stream, std::move(operation));
  stream->queue.push_back(std::move(operation));
  if (settings().streams == StreamMode::kEager) {
    drain(lock, *stream);
    return cudaSuccess;
  }
  static Ticker ticker;
  if (settings().streams == StreamMode::kRandom) run_some(lock);
  return cudaSuccess;
}

bool advance(Lock& lock, CUstream_st& stream) {
  if (stream.busy) {
    streams().progress.wait(lock);
    return true;
  }
  if (stream.queue.empty()) return false;
  const std::shared_ptr<Mark> awaited = stream.queue.front().waits_for;
  if (awaited != nullptr && !awaited->passed) {
    if (!advance(lock, *awaited->stream)) awaited->passed = true;  // its stream was cleared by a reset
    return true;
  }
  const Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  stream.busy = true;
  execute(lock, operation);
  stream.busy = false;
  streams().last_use = Clock::now();
  streams().progress.notify_all();
  return true;
}

void drain(Lock& lock, CUstream_st& stream) {
  while (advance(lock, stream)) {
  }
}

void drain_all(Lock& lock) {
  for (size_t i = 0; i < streams().all.size(); ++i) drain(lock, *streams().all[i]);
  drain(lock, streams().legacy);
}

CUstream_st* find_stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy || handle == cudaStreamPerThread) return &streams().legacy;
  for (const auto& stream : streams().all) {
    if (stream.get() == handle) return stream.get();
  }
  return nullptr;
}

CUstream_st& default_stream() { return streams().legacy; }

CUstream_st* add_stream(unsigned flags) {
  streams().all.push_back(std::make_unique<CUstream_st>());
  streams().all.back()->flags = flags;
  return streams().all.back().get();
}

void remove_stream(CUstream_st* stream) {
  std::erase_if(streams().all, [stream](const auto& other) { return other.get() == stream; });
}

cudaError_t refuse_during_capture() {
  return invalidate_captures([](const Capture& capture) {
    if (capture.mode == cudaStreamCaptureModeThreadLocal) return capture.thread == std::this_thread::get_id();
    return capture.mode == cudaStreamCaptureModeGlobal;
  });
}

cudaError_t refuse_device_during_capture() {
  return invalidate_captures([](const Capture&) { return true; });
}

void end_capture(const Capture* capture) {
  for (const auto& stream : streams().all) {
    if (stream->capture.get() != capture) continue;
    stream->capture = nullptr;
    stream->tail.clear();
  }
}

void clear_streams() {
  for (const auto& stream : streams().all) stream->queue.clear();
  streams().legacy.queue.clear();
  streams().random = 0;
}

}  // namespace silverlode::emulation
