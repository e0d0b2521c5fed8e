// Streams and events.
#include "emulation/runtime_api.h"
#include "emulation/settings.h"
#include "emulation/src/streams.h"

using namespace silverlode::emulation;

namespace {

// Host calls that look at a stream may not be made while it is recorded.
cudaError_t refuse_capturing(CUstream_st* stream) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture == nullptr) return cudaSuccess;
  stream->capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

// A capture spreads to the stream that waits for an event recorded in it.
cudaError_t wait_in_capture(CUstream_st& stream, const CUevent_st& event) {
  if (event.capture != nullptr && event.capture->graph == nullptr) return cudaErrorCapturedEvent;
  if (event.capture == nullptr || (stream.capture != nullptr && stream.capture != event.capture)) {
    stream.capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (stream.capture == nullptr) {
    stream.capture = event.capture;
    stream.tail.clear();
  }
  stream.tail.insert(stream.tail.end(), event.tail.begin(), event.tail.end());
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (flags > cudaStreamNonBlocking) return leave(cudaErrorInvalidValue);
  if (fails_now("create")) return leave(cudaErrorMemoryAllocation);
  *stream = add_stream(flags);
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  Lock lock(device_mutex());
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr || stream == &default_stream()) return leave(cudaErrorInvalidResourceHandle);
  drain(lock, *stream);
  remove_stream(stream);
  return leave(device_fault());
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  CUstream_st* stream = find_stream(handle);
  if (const cudaError_t error = refuse_capturing(stream); error != cudaSuccess) return leave(error);
  drain(lock, *stream);
  return leave(device_fault());
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  CUstream_st* stream = find_stream(handle);
  if (const cudaError_t error = refuse_capturing(stream); error != cudaSuccess) return leave(error);
  if (stream->queue.empty() && !stream->busy) return cudaSuccess;
  advance(lock, *stream);  // so that a program that polls gets on
  return leave(device_fault() != cudaSuccess ? device_fault() : cudaErrorNotReady);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* user_data) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (function == nullptr) return leave(cudaErrorInvalidValue);
  return leave(enqueue(lock, stream, {cudaGraphNodeTypeHost, [function, user_data] {
                                        function(user_data);
                                        return cudaSuccess;
                                      }}));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (fails_now("create")) return leave(cudaErrorMemoryAllocation);
  *event = new CUevent_st;
  (*event)->flags = flags;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(device_mutex());
  if (event == nullptr) return leave(cudaErrorInvalidResourceHandle);
  delete event;
  return leave(device_fault());
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  CUstream_st* stream = find_stream(handle);
  if (event == nullptr || stream == nullptr) return leave(cudaErrorInvalidResourceHandle);
  event->capture = stream->capture;
  event->tail = stream->tail;
  if (event->capture != nullptr) {
    return leave(event->capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
  }
  event->mark = std::make_shared<Mark>();
  event->mark->stream = stream;
  return leave(enqueue(lock, handle, {cudaGraphNodeTypeEventRecord, nullptr, nullptr, nullptr, event->mark}));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  CUstream_st* stream = find_stream(handle);
  if (event == nullptr || stream == nullptr) return leave(cudaErrorInvalidResourceHandle);
  if (stream->capture != nullptr || event->capture != nullptr) return leave(wait_in_capture(*stream, *event));
  if (event->mark == nullptr || event->mark->passed) return cudaSuccess;
  return leave(enqueue(lock, handle, {cudaGraphNodeTypeWaitEvent, nullptr, nullptr, event->mark, nullptr}));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (event == nullptr) return leave(cudaErrorInvalidResourceHandle);
  if (event->capture != nullptr) return leave(cudaErrorCapturedEvent);
  const std::shared_ptr<Mark> mark = event->mark;
  while (mark != nullptr && !mark->passed && advance(lock, *mark->stream)) {
  }
  return leave(device_fault());
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (event == nullptr) return leave(cudaErrorInvalidResourceHandle);
  if (event->capture != nullptr) return leave(cudaErrorCapturedEvent);
  const std::shared_ptr<Mark> mark = event->mark;
  if (mark == nullptr || mark->passed) return cudaSuccess;
  advance(lock, *mark->stream);  // so that a program that polls gets on
  return leave(device_fault() != cudaSuccess ? device_fault() : cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  for (const cudaEvent_t event : {start, end}) {
    if (event == nullptr || event->mark == nullptr || (event->flags & cudaEventDisableTiming) != 0) {
      return leave(cudaErrorInvalidResourceHandle);
    }
  }
  if (!start->mark->passed || !end->mark->passed) return cudaErrorNotReady;
  *milliseconds = static_cast<float>((end->mark->seconds - start->mark->seconds) * 1e3);
  return cudaSuccess;
}
}
