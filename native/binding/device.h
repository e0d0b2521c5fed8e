// An open device with the thread that drives it, shared by everything that runs there.
#pragma once

#include <atomic>
#include <memory>

#include "backends/registry.h"
#include "program/executor.h"

namespace silverlode::binding {

struct OpenDevice {
  std::unique_ptr<Device> device;
  Executor executor;  // last member: its thread stops before the device goes

  Context context(const std::atomic<uint32_t>* cancel) const {
    Context context;
    context.backend = device->backend();
    context.cancel = reinterpret_cast<const volatile uint32_t*>(cancel);
    return context;
  }
};

}  // namespace silverlode::binding
