// Stream capture and graphs.
#include <algorithm>
#include <vector>

#include "emulation/runtime_api.h"
#include "emulation/settings.h"
#include "emulation/src/streams.h"

using namespace silverlode::emulation;

namespace {

// True if every node of the graph precedes the tail: what forked streams did must be joined.
bool all_joined(const CUgraph_st& graph, const std::vector<size_t>& tail) {
  std::vector<bool> joined(graph.nodes.size());
  for (const size_t node : tail) joined[node] = true;
  for (size_t node = graph.nodes.size(); node-- > 0;) {
    if (!joined[node]) return false;
    for (const size_t before : graph.nodes[node]->dependencies) joined[before] = true;
  }
  return true;
}

// The order in which the nodes of a launch run: as captured, or any other that the dependencies allow.
std::vector<size_t> launch_order(const std::vector<CUgraphNode_st>& nodes) {
  const bool any_order = settings().streams == StreamMode::kRandom;
  std::vector<size_t> order;
  std::vector<bool> done(nodes.size());
  while (order.size() < nodes.size()) {
    std::vector<size_t> ready;
    for (size_t node = 0; node < nodes.size(); ++node) {
      const auto& before = nodes[node].dependencies;
      if (!done[node] && std::all_of(before.begin(), before.end(), [&](size_t i) { return done[i]; })) {
        ready.push_back(node);
        if (!any_order) break;
      }
    }
    const size_t pick = any_order ? stream_random() % ready.size() : 0;
    done[ready[pick]] = true;
    order.push_back(ready[pick]);
  }
  return order;
}

cudaGraphExecUpdateResult compare(const std::vector<CUgraphNode_st>& old, const CUgraph_st& graph, size_t* differs) {
  *differs = 0;
  if (old.size() != graph.nodes.size()) return cudaGraphExecUpdateErrorTopologyChanged;
  for (size_t i = 0; i < old.size(); ++i) {
    *differs = i;
    if (old[i].dependencies != graph.nodes[i]->dependencies) return cudaGraphExecUpdateErrorTopologyChanged;
    if (old[i].operation.type != graph.nodes[i]->operation.type) return cudaGraphExecUpdateErrorNodeTypeChanged;
  }
  return cudaGraphExecUpdateSuccess;
}

std::vector<CUgraphNode_st> copy_nodes(const CUgraph_st& graph) {
  std::vector<CUgraphNode_st> nodes;
  for (const auto& node : graph.nodes) nodes.push_back(*node);
  return nodes;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return leave(cudaErrorInvalidResourceHandle);
  if (stream == &default_stream()) return leave(cudaErrorStreamCaptureUnsupported);
  if (stream->capture != nullptr) return leave(cudaErrorIllegalState);
  stream->capture = std::make_shared<Capture>();
  stream->capture->graph = std::make_unique<CUgraph_st>();
  stream->capture->origin = stream;
  stream->capture->mode = mode;
  stream->capture->thread = std::this_thread::get_id();
  stream->tail.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  const Lock lock(device_mutex());
  *graph = nullptr;
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr || stream->capture == nullptr) return leave(cudaErrorIllegalState);
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != stream) return leave(cudaErrorStreamCaptureUnmatched);
  std::unique_ptr<CUgraph_st> captured = std::move(capture->graph);
  const bool joined = all_joined(*captured, stream->tail);
  end_capture(capture.get());
  if (capture->invalid) return leave(cudaErrorStreamCaptureInvalidated);
  if (!joined) return leave(cudaErrorStreamCaptureUnjoined);
  *graph = captured.release();
  return leave(device_fault());
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  const Lock lock(device_mutex());
  const CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return leave(cudaErrorInvalidResourceHandle);
  *status = cudaStreamCaptureStatusNone;
  if (stream->capture != nullptr) {
    *status = stream->capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
  }
  return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  thread_local cudaStreamCaptureMode own = cudaStreamCaptureModeGlobal;
  std::swap(own, *mode);
  return cudaSuccess;
}

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (fails_now("create")) return leave(cudaErrorMemoryAllocation);
  *graph = new CUgraph_st;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Lock lock(device_mutex());
  if (graph == nullptr) return leave(cudaErrorInvalidValue);
  delete graph;
  return leave(device_fault());
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  const Lock lock(device_mutex());
  if (graph == nullptr || count == nullptr) return leave(cudaErrorInvalidValue);
  if (nodes != nullptr) {
    for (size_t i = 0; i < *count; ++i) nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
  }
  if (nodes == nullptr || *count > graph->nodes.size()) *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  const Lock lock(device_mutex());
  if (node == nullptr) return leave(cudaErrorInvalidValue);
  *type = node->operation.type;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (graph == nullptr) return leave(cudaErrorInvalidValue);
  if (fails_now("create")) return leave(cudaErrorMemoryAllocation);
  *executable = new CUgraphExec_st{copy_nodes(*graph)};
  return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  if (executable == nullptr || graph == nullptr || info == nullptr) return leave(cudaErrorInvalidValue);
  size_t differs = 0;
  *info = {compare(executable->nodes, *graph, &differs), nullptr, nullptr};
  if (info->result != cudaGraphExecUpdateSuccess) {
    if (differs < graph->nodes.size()) info->errorNode = graph->nodes[differs].get();
    return leave(cudaErrorGraphExecUpdateFailure);
  }
  executable->nodes = copy_nodes(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Lock lock(device_mutex());
  if (executable == nullptr) return leave(cudaErrorInvalidValue);
  delete executable;  // launches under way hold what they need
  return leave(device_fault());
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t) {
  const Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  return leave(executable != nullptr ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  Lock lock(device_mutex());
  if (const cudaError_t error = enter(); error != cudaSuccess) return leave(error);
  const CUstream_st* stream = find_stream(handle);
  if (executable == nullptr || stream == nullptr) return leave(cudaErrorInvalidResourceHandle);
  if (stream->capture != nullptr) return leave(cudaErrorNotSupported);  // child graphs are not emulated
  if (fails_now("launch")) return leave(cudaErrorLaunchOutOfResources);
  const std::vector<CUgraphNode_st> nodes = executable->nodes;  // the lock may be given up below
  for (const size_t node : launch_order(nodes)) {
    if (const cudaError_t error = enqueue(lock, handle, nodes[node].operation); error != cudaSuccess) {
      return leave(error);
    }
  }
  return cudaSuccess;
}
}
