#include "backends/cuda/queue.h"

#include "backends/cuda/graph.h"

namespace silverlode::cuda {

Status Queue::open(int32_t ordinal, std::unique_ptr<Queue>& out) {
  std::unique_ptr<Queue> queue(new Queue(Gpu::at(ordinal)));
  if (Status status = queue->create(); !status.ok()) return status;
  out = std::move(queue);
  return ok_status();
}

Status Queue::create() {
  if (Status status = gpu_.use(); !status.ok()) return status;
  const cudaError_t created = cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking);
  if (Status status = status_of(created, "creating a stream"); !status.ok()) return status;
  if (Status status = ring_.open(stream_.get()); !status.ok()) return status;
  const cudaError_t pinned = cudaHostAlloc(found_error_.out(), sizeof(RunError), cudaHostAllocDefault);
  if (Status status = status_of(pinned, "allocating page-locked memory"); !status.ok()) return status;
  void* error = nullptr;
  if (Status status = gpu_.allocate(sizeof(RunError), error); !status.ok()) return status;
  runtime_.error = static_cast<RunError*>(error);
  runtime_.stream = stream_.get();
  runtime_.limits = gpu_.limits();
  gemm_ = make_gemm(runtime_.limits, nullptr);
  runtime_.gemm = gemm_.get();
  return ok_status();
}

Queue::~Queue() {
  if (runtime_.error != nullptr) gpu_.release(runtime_.error);
  (void)gpu_.use();  // for the handles
  gemm_.reset();
}

Status Queue::begin_run() {
  error_is_clear_ = false;
  if (Status status = gpu_.use(); !status.ok()) return status;
  const cudaError_t cleared = cudaMemsetAsync(runtime_.error, 0, sizeof(RunError), stream_.get());
  error_is_clear_ = cleared == cudaSuccess;
  return status_of(cleared, "starting a run");
}

Status Queue::upload(void* to, const void* from_host, size_t bytes) { return ring_.upload(to, from_host, bytes); }

Status Queue::download(void* to_host, const void* from, size_t bytes) { return ring_.download(to_host, from, bytes); }

Status Queue::copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return ok_status();
  // cudaMemcpyDefault: `from` may lie on another GPU.
  return status_of(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_.get()), "copying on the GPU");
}

Status Queue::finish_run() {
  if (Status status = gpu_.use(); !status.ok()) {
    ring_.deliver(false);
    return status;
  }
  auto* found = static_cast<RunError*>(found_error_.get());
  *found = {};
  const cudaError_t copied =
      cudaMemcpyAsync(found, runtime_.error, sizeof(RunError), cudaMemcpyDeviceToHost, stream_.get());
  const Status asked = status_of(copied, "ending a run");
  const Status waited = status_of(cudaStreamSynchronize(stream_.get()), "running on the GPU");
  const bool readable = error_is_clear_ && asked.ok();
  const Status status = !waited.ok() ? waited : readable ? status_of(*found) : asked;
  ring_.deliver(status.ok());
  return status;
}

Status Queue::begin_recording() { return begin_graph(stream_.get()); }

Status Queue::end_recording(cudaGraphExec_t& executable) { return end_graph(stream_.get(), executable); }

Status Queue::replay(cudaGraphExec_t executable) { return launch_graph(executable, stream_.get()); }

Status Queue::mark(size_t index) {
  while (marks_.size() <= index) {
    Event event;
    if (Status status = status_of(cudaEventCreate(event.out()), "creating an event"); !status.ok()) return status;
    marks_.push_back(std::move(event));
  }
  return status_of(cudaEventRecord(marks_[index].get(), stream_.get()), "recording an event");
}

Status Queue::elapsed(size_t index, double& milliseconds) {
  float elapsed = 0;
  const cudaError_t error = cudaEventElapsedTime(&elapsed, marks_[index].get(), marks_[index + 1].get());
  milliseconds = elapsed;
  return status_of(error, "reading a timer");
}

}  // namespace silverlode::cuda
