// Single ops outside a program: shapes for tracing, and eager calls.
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

// An eager call in flight: inputs shared with their tensors, outputs fresh.
struct EagerCall {
  std::unique_ptr<OpInstance> op;
  std::vector<TensorView> inputs;
  std::vector<std::shared_ptr<void>> memory;
  OutputSpecs specs;
  std::vector<TensorView> outputs;
  std::vector<std::shared_ptr<void>> output_memory;
};

Status run(EagerCall& call, const BackendTable& table, Context& context) {
  for (int32_t i = 0; i < call.specs.count; ++i) {
    TensorView view{nullptr, call.specs.dtypes[i], call.specs.shapes[i]};
    if (view.shape.elements() < 0)
      return make_error(Code::kLimitExceeded, "%s: an output is too large", call.op->name());
    AlignedMemory memory = allocate_aligned(static_cast<size_t>(view.bytes()));
    if (!memory)
      return make_error(Code::kOutOfMemory, "cannot allocate %lld bytes", static_cast<long long>(view.bytes()));
    view.data = memory.get();
    call.outputs.push_back(view);
    call.output_memory.emplace_back(std::move(memory));
  }
  const size_t bytes = call.op->workspace(table, context, DimValues{}, call.inputs, call.outputs, false);
  const AlignedMemory workspace = allocate_aligned(bytes);
  if (!workspace) return make_error(Code::kOutOfMemory, "cannot allocate %zu bytes of workspace", bytes);
  return call.op->run(table, context, DimValues{}, call.inputs, call.outputs, {workspace.get(), bytes}, nullptr);
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
      continue;
    }
    const Tensor& tensor = Tensor::from(value, call->op->name());
    call->inputs.push_back(tensor.view());
    call->memory.push_back(tensor.memory());
  }
  check(env, infer(*call->op, call->inputs, call->specs));
  job->cancel = CancelHandle::from(info[4]);
  const BackendTable* table = &job->device->device->table();
  job->work = [call, table](Context& context) { return run(*call, *table, context); };
  job->settle = [call](Napi::Env settled) -> Napi::Value {
    const Napi::Array tensors = Napi::Array::New(settled, call->outputs.size());
    for (uint32_t i = 0; i < call->outputs.size(); ++i) {
      tensors.Set(i, Tensor::make(settled, call->outputs[i], call->output_memory[i], call->outputs[i].bytes()));
    }
    return tensors;
  };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
