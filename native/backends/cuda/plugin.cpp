// What the plugin exports: see backends/plugin.h.
#include "backends/plugin.h"

#include <new>

#include "backends/cuda/backend.h"
#include "backends/cuda/graph.h"
#include "backends/cuda/nvtx.h"
#include "backends/cuda/queue.h"
#include "ops/backend_table.h"

namespace silverlode::cuda {

namespace {

Queue& queue(void* device) { return *static_cast<Queue*>(device); }

Status open(int32_t ordinal, void** device) {
  std::unique_ptr<Queue> opened;
  if (Status status = Queue::open(ordinal, opened); !status.ok()) return status;
  *device = opened.release();
  return ok_status();
}

Status allocate_pinned(size_t bytes, void** memory) {
  // Portable: page-locked for every GPU of the process.
  return status_of(cudaHostAlloc(memory, bytes == 0 ? 1 : bytes, cudaHostAllocPortable),
                   "allocating page-locked memory");
}

Status end_recording(void* device, void** recording) {
  auto executable = static_cast<cudaGraphExec_t>(*recording);
  const Status status = queue(device).end_recording(executable);
  *recording = executable;
  return status;
}

void release_recording(int32_t ordinal, void* recording) {
  if (Gpu::at(ordinal).use().ok()) destroy_graph(static_cast<cudaGraphExec_t>(recording));
}

PluginTable make_table() {
  PluginTable table;
  table.backend_table_version = kBackendTableVersion;
  table.plugin_table_bytes = sizeof(PluginTable);
  table.backend_table_bytes = sizeof(BackendTable);
  table.count = [](int32_t* count) { return Gpu::count(*count); };
  table.describe = [](int32_t ordinal, PluginDeviceInfo* info) { Gpu::at(ordinal).describe(*info); };
  table.table = backend_table;
  table.allocate = [](int32_t ordinal, size_t bytes, void** memory) {
    return Gpu::at(ordinal).allocate(bytes, *memory);
  };
  table.release = [](int32_t ordinal, void* memory) { Gpu::at(ordinal).release(memory); };
  table.write = [](int32_t ordinal, void* to, const void* from, size_t bytes) {
    return Gpu::at(ordinal).write(to, from, bytes);
  };
  table.memory_info = [](int32_t ordinal, size_t* free_bytes, size_t* total_bytes) {
    return Gpu::at(ordinal).memory_info(*free_bytes, *total_bytes);
  };
  table.allocate_pinned = allocate_pinned;
  table.release_pinned = [](void* memory) { (void)cudaFreeHost(memory); };
  table.open = open;
  table.close = [](void* device) { delete static_cast<Queue*>(device); };
  table.backend = [](void* device) -> void* { return queue(device).runtime(); };
  table.begin_run = [](void* device) { return queue(device).begin_run(); };
  table.upload = [](void* device, void* to, const void* from, size_t bytes) {
    return queue(device).upload(to, from, bytes);
  };
  table.download = [](void* device, void* to, const void* from, size_t bytes) {
    return queue(device).download(to, from, bytes);
  };
  table.copy = [](void* device, void* to, const void* from, size_t bytes) {
    return queue(device).copy(to, from, bytes);
  };
  table.finish_run = [](void* device) { return queue(device).finish_run(); };
  table.begin_recording = [](void* device) { return queue(device).begin_recording(); };
  table.end_recording = end_recording;
  table.replay = [](void* device, void* recording) {
    return queue(device).replay(static_cast<cudaGraphExec_t>(recording));
  };
  table.release_recording = release_recording;
  table.begin_range = begin_range;
  table.end_range = end_range;
  table.mark = [](void* device, size_t index) { return queue(device).mark(index); };
  table.elapsed = [](void* device, size_t index, double* milliseconds) {
    return queue(device).elapsed(index, *milliseconds);
  };
  return table;
}

}  // namespace

}  // namespace silverlode::cuda

extern "C" __attribute__((visibility("default"))) const silverlode::PluginTable* silverlode_cuda_plugin() {
  static const silverlode::PluginTable table = silverlode::cuda::make_table();
  return &table;
}
