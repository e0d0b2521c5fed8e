// An open device with the thread that drives it, shared by everything that runs there.
#pragma once

#include <atomic>
#include <functional>
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

  // Does work of the device: whatever it throws is a Status.
  Status attempt(const std::function<Status(Context& context)>& work, const std::atomic<uint32_t>* cancel) const;
  // The same on the calling thread, once everything submitted before is done.
  Status run_here(const std::function<Status(Context& context)>& work);
};

}  // namespace silverlode::binding
