#include "program/run.h"

namespace silverlode {

namespace {

struct Run {
  const Plan& plan;
  Device& device;
  Context& context;
  const RunRequest& request;
  RunScratch& scratch;
};

class Range {
 public:
  Range(Device& device, const char* name) : device_(device) { device_.begin_range(name); }
  ~Range() { device_.end_range(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  Device& device_;
};

// Where each input will be when the steps read it.
void place_inputs(const Run& run) {
  run.scratch.inputs.resize(run.request.inputs.size());
  for (size_t i = 0; i < run.request.inputs.size(); ++i) {
    const RunInput& input = run.request.inputs[i];
    run.scratch.inputs[i] = input.view;
    if (input.place != run.device.place()) run.scratch.inputs[i].data = run.plan.input_memory(i);
  }
}

bool is_on_device(const Run& run, const RunOutput& output) {
  return output.data != nullptr && output.place != kHost && output.place == run.device.place();
}

// Outputs that stay on the device are written where they shall be, unless another output has the same value.
void place_outputs(const Run& run) {
  for (size_t i = 0; i < run.request.outputs.size(); ++i) {
    const RunOutput& output = run.request.outputs[i];
    if (is_on_device(run, output)) run.plan.redirect(run.plan.outputs()[i], output.data, run.scratch.views);
  }
}

Status upload_inputs(const Run& run) {
  for (size_t i = 0; i < run.request.inputs.size(); ++i) {
    const RunInput& input = run.request.inputs[i];
    if (input.place == run.device.place()) continue;
    void* to = run.scratch.inputs[i].data;
    const size_t bytes = static_cast<size_t>(input.view.bytes());
    const Status status = input.place == kHost ? run.device.upload(to, input.view.data, bytes)
                                               : run.device.copy(to, input.view.data, bytes);
    if (!status.ok()) return status;
  }
  return ok_status();
}

Status run_steps(const Run& run) {
  const DimValues dims{run.request.dims};
  TensorView storage[kMaxStepInputs];
  for (size_t s = 0; s < run.plan.steps().size(); ++s) {
    const PlannedStep& step = run.plan.steps()[s];
    if (run.context.cancelled()) return make_error(Code::kAborted, "the run was cancelled");
    if (run.request.step_ms != nullptr) {
      if (Status status = run.device.mark(s); !status.ok()) return status;
    }
    if (step.op->is_view()) continue;
    const Range range(run.device, step.title.c_str());
    const Inputs inputs = Plan::gather(step, run.scratch.views, storage);
    const Outputs outputs{run.scratch.views.data() + step.first_output, static_cast<size_t>(step.outputs)};
    const Status status = step.op->run(run.device.table(), run.context, dims, inputs, outputs, run.plan.workspace(step),
                                       step.prepared.get());
    if (!status.ok()) return status;
  }
  return run.request.step_ms == nullptr ? ok_status() : run.device.mark(run.plan.steps().size());
}

// A recording holds for the same sizes and the same addresses outside the plan.
void make_key(const Run& run) {
  std::vector<int64_t>& key = run.scratch.key;
  key.assign(run.request.dims.begin(), run.request.dims.end());
  for (const TensorView& input : run.scratch.inputs) key.push_back(reinterpret_cast<intptr_t>(input.data));
  for (const RunOutput& output : run.request.outputs) {
    key.push_back(is_on_device(run, output) ? reinterpret_cast<intptr_t>(output.data) : 0);
  }
}

Status run_recorded(const Run& run) {
  make_key(run);
  bool known = false;
  Recordings::Entry& entry = run.scratch.recordings.find(run.scratch.key, known);
  if (!known) return run_steps(run);
  if (!entry.ready) {
    if (Status status = run.device.begin_recording(); !status.ok()) return status;
    const Status recorded = run_steps(run);
    const Status ended = run.device.end_recording(entry.recording);
    if (!recorded.ok()) return recorded;
    if (!ended.ok()) return ended;
    entry.ready = true;
  }
  if (run.context.cancelled()) return make_error(Code::kAborted, "the run was cancelled");
  return run.device.replay(entry.recording);
}

Status fetch_outputs(const Run& run) {
  for (size_t i = 0; i < run.request.outputs.size(); ++i) {
    const RunOutput& output = run.request.outputs[i];
    const TensorView& value = run.scratch.views[static_cast<size_t>(run.plan.outputs()[i])];
    const size_t bytes = static_cast<size_t>(value.bytes());
    if (output.data == nullptr || output.data == value.data || bytes == 0) continue;
    const Status status = is_on_device(run, output) ? run.device.copy(output.data, value.data, bytes)
                                                    : run.device.download(output.data, value.data, bytes);
    if (!status.ok()) return status;
  }
  return ok_status();
}

Status enqueue(const Run& run) {
  if (Status status = run.device.begin_run(); !status.ok()) return status;
  if (Status status = upload_inputs(run); !status.ok()) return status;
  const bool recorded = run.device.records() && run.request.step_ms == nullptr;
  if (Status status = recorded ? run_recorded(run) : run_steps(run); !status.ok()) return status;
  return fetch_outputs(run);
}

Status read_times(const Run& run) {
  if (run.request.step_ms == nullptr) return ok_status();
  for (size_t s = 0; s < run.plan.steps().size(); ++s) {
    if (Status status = run.device.elapsed(s, (*run.request.step_ms)[s]); !status.ok()) return status;
  }
  return ok_status();
}

}  // namespace

Status run_plan(const Plan& plan, Device& device, Context& context, const RunRequest& request, RunScratch& scratch) {
  const Run run{plan, device, context, request, scratch};
  const Range range(device, "silverlode run");
  place_inputs(run);
  scratch.views.resize(plan.n_values());
  if (Status status = plan.bind(DimValues{request.dims}, scratch.inputs, scratch.views); !status.ok()) return status;
  place_outputs(run);
  const Status enqueued = enqueue(run);
  const Status finished = device.finish_run();  // also after an error: nothing may be in flight when the caller goes on
  if (!enqueued.ok()) return enqueued;
  if (!finished.ok()) return finished;
  return read_times(run);
}

}  // namespace silverlode
