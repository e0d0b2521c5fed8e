// Streams as queues of operations, run by whoever waits for them (or at once, see StreamMode). All of it under the device
// lock, which is given up only while a host function runs.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "emulation/src/device.h"

namespace silverlode::emulation {

// A point in a stream that an event has recorded.
struct Mark {
  CUstream_st* stream = nullptr;
  bool passed = false;
  double seconds = 0;
};

struct Operation {
  cudaGraphNodeType type;
  std::function<cudaError_t()> run;
  const void* kernel = nullptr;
  std::shared_ptr<Mark> waits_for = nullptr;
  std::shared_ptr<Mark> records = nullptr;
};

// A graph that a stream and those forked from it are recording.
struct Capture {
  std::unique_ptr<CUgraph_st> graph;  // null once the capture has ended
  CUstream_st* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;  // that began it
  bool invalid = false;
};

// Appends to the stream, or to the graph it records.
cudaError_t enqueue(Lock& lock, cudaStream_t stream, Operation operation);
// Runs what the stream holds, and what that waits for.
void drain(Lock& lock, CUstream_st& stream);
void drain_all(Lock& lock);
// Runs one operation, perhaps of a stream that this one waits for. False if the stream is idle.
bool advance(Lock& lock, CUstream_st& stream);

// The stream of a handle; null for a handle that is none.
CUstream_st* find_stream(cudaStream_t stream);
CUstream_st& default_stream();
CUstream_st* add_stream(unsigned flags);
void remove_stream(CUstream_st* stream);

// What a call that captures forbid begins with: invalidates the captures it disturbs. A thread-local capture forbids it to
// the thread that began the capture, a global one to every thread.
cudaError_t refuse_during_capture();
// The same for a call that waits for the whole device, which no capture allows to any thread.
cudaError_t refuse_device_during_capture();
// Takes every stream out of the capture.
void end_capture(const Capture* capture);
// The next random number of the streams' own sequence.
uint64_t stream_random();
void clear_streams();

}  // namespace silverlode::emulation

struct CUgraphNode_st {
  silverlode::emulation::Operation operation;
  std::vector<size_t> dependencies;  // positions in the graph, all before this node's
};

struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};

struct CUgraphExec_st {
  std::vector<CUgraphNode_st> nodes;
};

struct CUstream_st {
  std::deque<silverlode::emulation::Operation> queue;
  unsigned flags = 0;
  bool busy = false;  // some host thread runs an operation of this stream
  std::shared_ptr<silverlode::emulation::Capture> capture;
  std::vector<size_t> tail;  // nodes of the capture that the next one depends on
};

struct CUevent_st {
  unsigned flags = 0;
  std::shared_ptr<silverlode::emulation::Mark> mark;
  std::shared_ptr<silverlode::emulation::Capture> capture;  // recorded in a capture
  std::vector<size_t> tail;
};
