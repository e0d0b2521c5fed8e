#include "backends/cuda/graph.h"

#include "backends/cuda/handles.h"
#include "backends/cuda/runtime.h"

namespace silverlode::cuda {

Status begin_graph(cudaStream_t stream) {
  // Thread-local: other threads may allocate meanwhile.
  return status_of(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a graph");
}

Status end_graph(cudaStream_t stream, cudaGraphExec_t& executable) {
  GraphRecording recording;
  if (Status status = status_of(cudaStreamEndCapture(stream, recording.out()), "recording a graph"); !status.ok()) {
    return status;
  }
  if (executable != nullptr) {
    cudaGraphExecUpdateResultInfo result = {};
    if (cudaGraphExecUpdate(executable, recording.get(), &result) == cudaSuccess) return ok_status();
    (void)cudaGetLastError();  // another form of graph: instantiate it
  }
  cudaGraphExec_t made = nullptr;
  if (Status status = status_of(cudaGraphInstantiate(&made, recording.get(), 0), "instantiating a graph");
      !status.ok()) {
    return status;
  }
  executable = made;
  return ok_status();
}

Status launch_graph(cudaGraphExec_t executable, cudaStream_t stream) {
  return status_of(cudaGraphLaunch(executable, stream), "launching a graph");
}

void destroy_graph(cudaGraphExec_t executable) {
  if (executable != nullptr) (void)status_of(cudaGraphExecDestroy(executable), "freeing a graph");
}

}  // namespace silverlode::cuda
