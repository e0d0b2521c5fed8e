// Progress and cancellation of ops that run for long. They belong to publishing, not to requests: between two steps they may
// wait for the device, so that progress tells what is done and a cancelled op stops soon.
#pragma once

#include "backends/cuda/runtime.h"

namespace silverlode::cuda {

// After a step was enqueued; `done` is the share of the work, 0..1. Waits only for someone who watches, and never while the
// stream is being captured. ABORTED when the op was cancelled.
Status step_done(const Context& context, const char* op, double done);

}  // namespace silverlode::cuda
