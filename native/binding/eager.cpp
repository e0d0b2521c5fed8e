// Single ops outside a program: shapes for tracing, and eager calls.
#include "backends/plugin_device.h"
#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"
#include "core/aligned.h"

namespace silverlode::binding {

namespace {

Status infer(const OpInstance& op, Inputs inputs, OutputSpecs& specs) {
  if (inputs.size() > kMaxStepInputs) return make_error(Code::kLimitExceeded, "%s: too many inputs", op.name());
  return op.infer(DimValues{}, inputs, specs);
}

// An eager call in flight: inputs shared with their tensors, outputs fresh, where the inputs are.
struct EagerCall {
  std::unique_ptr<OpInstance> op;
  std::vector<TensorView> inputs;
  std::vector<Place> places;
  std::vector<std::shared_ptr<void>> memory;  // of inputs: the tensors', then that of copies on the device
  OutputSpecs specs;
  std::vector<TensorView> outputs;
  std::vector<std::shared_ptr<void>> output_memory;
  Place output_place = kHost;
};

// Where the op's inputs and outputs are while it runs on a device that does not read host memory.
Status bring_inputs(EagerCall& call, Device& device) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    TensorView& input = call.inputs[i];
    if (input.absent() || call.places[i] == device.place()) continue;
    std::shared_ptr<void> copy;
    const size_t bytes = static_cast<size_t>(input.bytes());
    if (Status status = device.allocate(bytes, copy); !status.ok()) return status;
    if (Status status = device.upload(copy.get(), input.data, bytes); !status.ok()) return status;
    input.data = copy.get();
    call.memory.push_back(std::move(copy));
  }
  return ok_status();
}

Status allocate_outputs(EagerCall& call, Device& device) {
  for (int32_t i = 0; i < call.specs.count; ++i) {
    TensorView view{nullptr, call.specs.dtypes[i], call.specs.shapes[i]};
    if (view.shape.elements() < 0)
      return make_error(Code::kLimitExceeded, "%s: an output is too large", call.op->name());
    std::shared_ptr<void> memory;
    if (Status status = device.allocate(static_cast<size_t>(view.bytes()), memory); !status.ok()) return status;
    view.data = memory.get();
    call.outputs.push_back(view);
    call.output_memory.push_back(std::move(memory));
  }
  return ok_status();
}

// Results of an op on host tensors come back to the host.
Status fetch_outputs(EagerCall& call, Device& device, std::vector<std::shared_ptr<void>>& on_host) {
  for (const TensorView& output : call.outputs) {
    const size_t bytes = static_cast<size_t>(output.bytes());
    std::shared_ptr<void> memory = allocate_aligned(bytes);
    if (!memory) return make_error(Code::kOutOfMemory, "cannot allocate %zu bytes", bytes);
    if (Status status = device.download(memory.get(), output.data, bytes); !status.ok()) return status;
    on_host.push_back(std::move(memory));
  }
  return ok_status();
}

Status enqueue(EagerCall& call, Device& device, Context& context, std::shared_ptr<void>& workspace,
               std::vector<std::shared_ptr<void>>& on_host) {
  if (Status status = device.begin_run(); !status.ok()) return status;
  if (Status status = bring_inputs(call, device); !status.ok()) return status;
  if (Status status = allocate_outputs(call, device); !status.ok()) return status;
  const BackendTable& table = device.table();
  const size_t bytes = call.op->workspace(table, context, DimValues{}, call.inputs, call.outputs, false);
  if (Status status = device.allocate(bytes, workspace); !status.ok()) return status;
  const Workspace scratch{workspace.get(), bytes};
  const Status status = call.op->run(table, context, DimValues{}, call.inputs, call.outputs, scratch, nullptr);
  if (!status.ok() || call.output_place == device.place()) return status;
  return fetch_outputs(call, device, on_host);
}

Status run(EagerCall& call, Device& device, Context& context) {
  std::shared_ptr<void> workspace;
  std::vector<std::shared_ptr<void>> on_host;
  const Status enqueued = enqueue(call, device, context, workspace, on_host);
  const Status finished = device.finish_run();
  if (!enqueued.ok()) return enqueued;
  for (size_t i = 0; i < on_host.size(); ++i) {
    call.outputs[i].data = on_host[i].get();
    call.output_memory[i] = std::move(on_host[i]);
  }
  return finished;
}

}  // namespace

Napi::Value infer_op(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::unique_ptr<OpInstance> op;
  check(env, make_op(info[0].ToString().Utf8Value(), read_attributes(info[1]), op));
  const std::vector<TensorView> inputs = read_specs(info[2]);
  OutputSpecs specs;
  check(env, infer(*op, inputs, specs));
  return write_specs(env, specs);
}

Napi::Value run_op(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto call = std::make_shared<EagerCall>();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  check(env, make_op(info[1].ToString().Utf8Value(), read_attributes(info[2]), call->op));
  const Napi::Array inputs = info[3].As<Napi::Array>();
  for (uint32_t i = 0; i < inputs.Length(); ++i) {
    const Napi::Value value = inputs[i];
    if (value.IsNull() || value.IsUndefined()) {
      call->inputs.emplace_back();
      call->places.push_back(kHost);
      continue;
    }
    const Tensor& tensor = Tensor::from(value, call->op->name());
    call->inputs.push_back(tensor.view());
    call->places.push_back(tensor.place());
    if (tensor.place() != kHost) call->output_place = tensor.place();
    call->memory.push_back(tensor.memory());
  }
  check(env, infer(*call->op, call->inputs, call->specs));
  job->cancel = CancelHandle::from(info[4]);
  Device* device = job->device->device.get();
  if (call->output_place != kHost && call->output_place != device->place()) {
    check(env, make_error(Code::kInvalidArgument, "%s: an input is on %s, the op runs on %s", call->op->name(),
                          place_name(call->output_place).c_str(), place_name(device->place()).c_str()));
  }
  job->work = [call, device](Context& context) { return run(*call, *device, context); };
  job->settle = [call](Napi::Env settled) -> Napi::Value {
    const Napi::Array tensors = Napi::Array::New(settled, call->outputs.size());
    for (uint32_t i = 0; i < call->outputs.size(); ++i) {
      const int64_t accounted = call->output_place == kHost ? call->outputs[i].bytes() : 0;
      tensors.Set(i, Tensor::make(settled, call->outputs[i], call->output_memory[i], accounted, call->output_place));
    }
    return tensors;
  };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
