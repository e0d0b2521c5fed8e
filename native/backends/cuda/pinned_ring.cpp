#include "backends/cuda/pinned_ring.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/runtime.h"

namespace silverlode::cuda {

namespace {

bool is_pinned(const void* memory) {
  cudaPointerAttributes attributes = {};
  const cudaError_t error = cudaPointerGetAttributes(&attributes, memory);
  if (error != cudaSuccess) (void)cudaGetLastError();
  return error == cudaSuccess && attributes.type == cudaMemoryTypeHost;
}

}  // namespace

Status PinnedRing::open(cudaStream_t stream) {
  stream_ = stream;
  const cudaError_t error = cudaHostAlloc(memory_.out(), kSlots * kSlotBytes, cudaHostAllocDefault);
  if (Status status = status_of(error, "allocating page-locked memory"); !status.ok()) return status;
  for (size_t i = 0; i < kSlots; ++i) {
    slots_[i].memory = static_cast<uint8_t*>(memory_.get()) + i * kSlotBytes;
    const cudaError_t created = cudaEventCreateWithFlags(slots_[i].done.out(), cudaEventDisableTiming);
    if (Status status = status_of(created, "creating an event"); !status.ok()) return status;
  }
  return ok_status();
}

Status PinnedRing::upload(void* to, const void* from_host, size_t bytes) {
  if (bytes >= kDirectBytes && is_pinned(from_host)) {
    return status_of(cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  }
  for (size_t done = 0; done < bytes;) {
    uint8_t* staged = nullptr;
    size_t granted = 0;
    if (Status status = reserve(bytes - done, staged, granted); !status.ok()) return status;
    std::memcpy(staged, static_cast<const uint8_t*>(from_host) + done, granted);
    const cudaError_t error =
        cudaMemcpyAsync(static_cast<uint8_t*>(to) + done, staged, granted, cudaMemcpyHostToDevice, stream_);
    if (Status status = status_of(error, "copying to the GPU"); !status.ok()) return status;
    done += granted;
  }
  return ok_status();
}

Status PinnedRing::download(void* to_host, const void* from, size_t bytes) {
  if (bytes >= kDirectBytes && is_pinned(to_host)) {
    return status_of(cudaMemcpyAsync(to_host, from, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
  }
  for (size_t done = 0; done < bytes;) {
    uint8_t* staged = nullptr;
    size_t granted = 0;
    if (Status status = reserve(bytes - done, staged, granted); !status.ok()) return status;
    const cudaError_t error =
        cudaMemcpyAsync(staged, static_cast<const uint8_t*>(from) + done, granted, cudaMemcpyDeviceToHost, stream_);
    if (Status status = status_of(error, "copying from the GPU"); !status.ok()) return status;
    slots_[current_].deliveries.push_back({static_cast<uint8_t*>(to_host) + done, staged, granted});
    done += granted;
  }
  return ok_status();
}

Status PinnedRing::reserve(size_t wanted, uint8_t*& memory, size_t& granted) {
  if (slots_[current_].used >= kSlotBytes) {
    if (Status status = next_slot(); !status.ok()) return status;
  }
  Slot& slot = slots_[current_];
  granted = std::min(wanted, kSlotBytes - slot.used);
  memory = slot.memory + slot.used;
  slot.used += (granted + kAlignment - 1) / kAlignment * kAlignment;
  return ok_status();
}

Status PinnedRing::next_slot() {
  Slot& full = slots_[current_];
  if (Status status = status_of(cudaEventRecord(full.done.get(), stream_), "recording an event"); !status.ok()) {
    return status;
  }
  full.in_flight = true;
  current_ = (current_ + 1) % kSlots;
  Slot& next = slots_[current_];
  if (next.in_flight) {
    if (Status status = status_of(cudaEventSynchronize(next.done.get()), "waiting for a copy"); !status.ok()) {
      return status;
    }
  }
  deliver(next, true);
  return ok_status();
}

void PinnedRing::deliver(Slot& slot, bool keep) {
  for (const Delivery& delivery : slot.deliveries) {
    if (keep) std::memcpy(delivery.to, delivery.from, delivery.bytes);
  }
  slot.deliveries.clear();
  slot.used = 0;
  slot.in_flight = false;
}

void PinnedRing::deliver(bool keep) {
  for (Slot& slot : slots_) deliver(slot, keep);
}

}  // namespace silverlode::cuda
