// Running a planned program: no allocation, no validation of what planning already settled, cancellation between steps. On a
// device that works by itself everything is enqueued, and one wait ends the run.
#pragma once

#include "program/plan.h"
#include "program/recordings.h"

namespace silverlode {

struct RunInput {
  TensorView view;
  Place place = kHost;  // used where it is when that is where the device's ops read, else brought there
};

struct RunOutput {
  void* data = nullptr;  // null to leave it out
  Place place = kHost;   // on the device: the program writes it there, without a copy
};

struct RunRequest {
  std::vector<int64_t> dims;     // one per symbol
  std::vector<RunInput> inputs;  // in program order, dense
  std::vector<RunOutput> outputs;
  std::vector<double>* step_ms = nullptr;  // when given, has room for one entry per step
};

// What runs of a plan share, one run at a time.
struct RunScratch {
  std::vector<int64_t> key;
  Recordings recordings;
};

// Checks a request against the plan and fills `views` (plan.n_values() entries): what every value of this run is. Needs the
// place where the ops of the device read, not the device itself, so any thread may do it, beside other runs.
Status bind_run(const Plan& plan, Place place, const RunRequest& request, std::vector<TensorView>& views);

// Runs a bound request. A plan owns its memory, so one run at a time.
Status run_plan(const Plan& plan, Device& device, Context& context, const RunRequest& request,
                std::vector<TensorView>& views, RunScratch& scratch);

// The same for views that plan.bind has filled from this request already.
Status run_bound(const Plan& plan, const BackendTable& table, Context& context, const RunRequest& request,
                 std::vector<TensorView>& views);

}  // namespace silverlode
