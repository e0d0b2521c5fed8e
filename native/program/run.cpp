#include "program/run.h"

#include <chrono>
#include <cstring>

namespace silverlode {

Status run_plan(const Plan& plan, const BackendTable& table, Context& context, const RunRequest& request,
                std::vector<TensorView>& views) {
  if (Status status = plan.bind(DimValues{request.dims}, request.inputs, views); !status.ok()) return status;
  return run_bound(plan, table, context, request, views);
}

Status run_bound(const Plan& plan, const BackendTable& table, Context& context, const RunRequest& request,
                 std::vector<TensorView>& views) {
  const DimValues dims{request.dims};
  TensorView storage[kMaxStepInputs];
  for (size_t s = 0; s < plan.steps().size(); ++s) {
    const PlannedStep& step = plan.steps()[s];
    if (context.cancelled()) return make_error(Code::kAborted, "the run was cancelled");
    if (step.op->is_view()) continue;
    const Inputs inputs = Plan::gather(step, views, storage);
    const Outputs outputs{views.data() + step.first_output, static_cast<size_t>(step.outputs)};
    const auto start = std::chrono::steady_clock::now();
    const Status status =
        step.op->run(table, context, dims, inputs, outputs, plan.workspace(step), step.prepared.get());
    if (!status.ok()) return status;
    if (request.step_ms != nullptr) {
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      (*request.step_ms)[s] = elapsed.count();
    }
  }
  for (size_t i = 0; i < plan.outputs().size(); ++i) {
    const TensorView& value = views[static_cast<size_t>(plan.outputs()[i])];
    if (request.outputs[i] != nullptr && value.bytes() > 0) {
      std::memcpy(request.outputs[i], value.data, static_cast<size_t>(value.bytes()));
    }
  }
  return ok_status();
}

}  // namespace silverlode
