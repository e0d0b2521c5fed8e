// Running a planned program: no allocation, no validation of what planning already settled, cancellation between steps.
#pragma once

#include "program/plan.h"

namespace silverlode {

struct RunRequest {
  std::vector<int64_t> dims;               // one per symbol
  std::vector<TensorView> inputs;          // in program order, dense
  std::vector<void*> outputs;              // where each program output is copied; null to leave it
  std::vector<double>* step_ms = nullptr;  // when given, has room for one entry per step
};

// `views` is scratch of plan.n_values() entries. A plan owns its memory, so one run at a time.
Status run_plan(const Plan& plan, const BackendTable& table, Context& context, const RunRequest& request,
                std::vector<TensorView>& views);

// The same for views that plan.bind has filled from this request already.
Status run_bound(const Plan& plan, const BackendTable& table, Context& context, const RunRequest& request,
                 std::vector<TensorView>& views);

}  // namespace silverlode
