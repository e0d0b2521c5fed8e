#include "program/plan.h"
#include <algorithm>

#include "core/arena.h"
#include "ops/check.h"

namespace silverlode {

namespace {

// Keeps the op's own words and says which step they are about.
Status at_step(const PlannedStep& step, const Status& status) {
  if (status.ok() || step.label.empty()) return status;
  return make_error(status.code, "%.180s (in %.60s)", status.text, step.label.c_str());
}

Shape resolve(const Shape& shape, const DimValues& dims) {
  Shape resolved = shape;
  for (int32_t axis = 0; axis < shape.rank; ++axis) resolved.dims[axis] = dims.resolve(shape.dims[axis]);
  return resolved;
}

Status check_tensor(const char* kind, const ValueSpec& spec, const Shape& expected, const TensorView& given) {
  if (given.dtype != spec.dtype) {
    return make_error(Code::kUnsupportedDtype, "%s '%.64s' is %s, expected %s", kind, spec.name.c_str(),
                      dtype_name(given.dtype), dtype_name(spec.dtype));
  }
  if (!(given.shape == expected)) {
    return make_error(Code::kShapeMismatch, "%s '%.64s' has shape %s, expected %s", kind, spec.name.c_str(),
                      shape_text(given.shape).c_str(), shape_text(expected).c_str());
  }
  return ok_status();
}

}  // namespace

Status Plan::make(const ProgramSpec& spec, std::vector<TensorView> constants, std::vector<int64_t> capacities,
                  Device& device, Context& context, bool count_only, std::unique_ptr<Plan>& out) {
  if (capacities.size() != spec.symbols.size() || constants.size() != spec.constants.size()) {
    return make_error(Code::kInvalidArgument, "the program has %zu symbols and %zu constants, got %zu and %zu",
                      spec.symbols.size(), spec.constants.size(), capacities.size(), constants.size());
  }
  auto plan = std::make_unique<Plan>();
  plan->capacities_ = std::move(capacities);
  plan->constants_ = std::move(constants);
  if (Status status = plan->read(spec); !status.ok()) return status;

  const DimValues dims{plan->capacities_};
  std::vector<TensorView> views(plan->n_values());
  std::vector<TensorView> inputs;
  for (const ValueSpec& input : plan->inputs_) inputs.push_back({nullptr, input.dtype, resolve(input.shape, dims)});
  if (Status status = plan->bind(dims, inputs, views); !status.ok()) return status;
  plan->lay_out(device, context, views);
  if (!count_only) {
    if (Status status = device.allocate(plan->arena_bytes_, plan->arena_); !status.ok()) {
      return make_error(status.code, "the arena of a program: %s", status.text);
    }
  }
  if (Status status = plan->prepare(device, context, views, count_only); !status.ok()) return status;
  out = std::move(plan);
  return ok_status();
}

Status Plan::read(const ProgramSpec& spec) {
  symbols_ = spec.symbols;
  inputs_ = spec.inputs;
  constant_specs_ = spec.constants;
  outputs_ = spec.outputs;
  values_.resize(spec.inputs.size() + spec.constants.size());
  for (size_t i = 0; i < values_.size(); ++i) values_[i].root = static_cast<int32_t>(i);
  for (const StepSpec& step_spec : spec.steps) {
    PlannedStep step;
    step.label = step_spec.label;
    step.title = step_spec.op + (step.label.empty() ? "" : " " + step.label);
    step.inputs = step_spec.inputs;
    step.first_output = static_cast<int32_t>(values_.size());
    step.outputs = step_spec.outputs;
    if (Status status = make_op(step_spec.op, step_spec.attributes, step.op); !status.ok())
      return at_step(step, status);
    if (step.inputs.size() > kMaxStepInputs || step.outputs < 1 || step.outputs > OutputSpecs::kMax) {
      return make_error(Code::kInvalidArgument, "%s: %zu inputs and %d outputs", step.op->name(), step.inputs.size(),
                        step.outputs);
    }
    for (int32_t value : step.inputs) {
      if (value < -1 || value >= step.first_output) {
        return make_error(Code::kInvalidArgument, "%s: input is value %d, only %d exist so far", step.op->name(), value,
                          step.first_output);
      }
    }
    for (int32_t i = 0; i < step.outputs; ++i) values_.push_back({step.first_output + i, kNotInArena});
    if (step.op->is_view()) {
      if (step.inputs.empty() || step.inputs[0] < 0) return make_error(Code::kInvalidArgument, "a view needs an input");
      values_.back().root = values_[static_cast<size_t>(step.inputs[0])].root;
    }
    steps_.push_back(std::move(step));
  }
  for (int32_t value : outputs_) {
    if (value < 0 || value >= static_cast<int32_t>(values_.size())) {
      return make_error(Code::kInvalidArgument, "output is value %d, only %zu exist", value, values_.size());
    }
  }
  return ok_status();
}

Status Plan::bind(const DimValues& dims, Inputs inputs, std::vector<TensorView>& views) const {
  if (dims.values.size() != capacities_.size() || inputs.size() != inputs_.size()) {
    return make_error(Code::kInvalidArgument, "the program takes %zu symbols and %zu inputs, got %zu and %zu",
                      capacities_.size(), inputs_.size(), dims.values.size(), inputs.size());
  }
  for (size_t i = 0; i < capacities_.size(); ++i) {
    if (dims.values[i] < 0 || dims.values[i] > capacities_[i]) {
      return make_error(Code::kLimitExceeded, "'%.64s' is %lld, this program was prepared for at most %lld",
                        symbols_[i].c_str(), static_cast<long long>(dims.values[i]),
                        static_cast<long long>(capacities_[i]));
    }
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Shape expected = resolve(inputs_[i].shape, dims);
    if (Status status = check_tensor("input", inputs_[i], expected, inputs[i]); !status.ok()) return status;
    views[i] = inputs[i];
  }
  for (size_t i = 0; i < constants_.size(); ++i) {
    const ValueSpec& spec = constant_specs_[i];
    if (Status status = check_tensor("constant", spec, spec.shape, constants_[i]); !status.ok()) return status;
    views[inputs_.size() + i] = constants_[i];
  }
  return infer_steps(dims, views);
}

Inputs Plan::gather(const PlannedStep& step, const std::vector<TensorView>& views, TensorView* storage) {
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    storage[i] = step.inputs[i] < 0 ? TensorView{} : views[static_cast<size_t>(step.inputs[i])];
  }
  return {storage, step.inputs.size()};
}

Status Plan::infer_steps(const DimValues& dims, std::vector<TensorView>& views) const {
  uint8_t* arena = static_cast<uint8_t*>(arena_.get());
  const int32_t first_made = static_cast<int32_t>(inputs_.size() + constants_.size());
  TensorView storage[kMaxStepInputs];
  for (const PlannedStep& step : steps_) {
    OutputSpecs specs;
    if (Status status = step.op->infer(dims, gather(step, views, storage), specs); !status.ok()) {
      return at_step(step, status);
    }
    if (specs.count != step.outputs) {
      return make_error(Code::kInvalidArgument, "%s gives %d outputs, the program expects %d", step.op->name(),
                        specs.count, step.outputs);
    }
    for (int32_t i = 0; i < specs.count; ++i) {
      const size_t id = static_cast<size_t>(step.first_output + i);
      const Value& value = values_[id];
      const Value& root = values_[static_cast<size_t>(value.root)];
      TensorView& view = views[id];
      view.dtype = specs.dtypes[i];
      view.shape = specs.shapes[i];
      if (view.shape.elements() < 0) {
        return at_step(step, make_error(Code::kLimitExceeded, "%s: output %s is too large", step.op->name(),
                                        shape_text(view.shape).c_str()));
      }
      if (root.offset != kNotInArena && value.root >= first_made) {
        view.data = arena == nullptr ? nullptr : arena + root.offset;
      } else {
        view.data = views[static_cast<size_t>(value.root)].data;
      }
    }
  }
  return ok_status();
}

bool Plan::redirect(int32_t value, void* memory, std::vector<TensorView>& views) const {
  const int32_t root = values_[static_cast<size_t>(value)].root;
  const size_t made = static_cast<size_t>(root);
  if (made < inputs_.size() + constants_.size()) return false;
  if (views[made].data != static_cast<uint8_t*>(arena_.get()) + values_[made].offset) return false;
  for (size_t id = made; id < values_.size(); ++id) {
    if (values_[id].root == root) views[id].data = memory;
  }
  return true;
}

void Plan::lay_out(const Device& device, const Context& context, const std::vector<TensorView>& views) {
  const BackendTable& table = device.table();
  const int32_t n_steps = static_cast<int32_t>(steps_.size());
  // A value lives from the step that makes it to the last one that reads it, program outputs to the end.
  std::vector<int32_t> last(n_values(), -1);
  auto use = [&](int32_t value, int32_t step) {
    if (value >= 0) last[static_cast<size_t>(values_[static_cast<size_t>(value)].root)] = step;
  };
  for (int32_t s = 0; s < n_steps; ++s) {
    const PlannedStep& step = steps_[static_cast<size_t>(s)];
    for (int32_t i = 0; i < step.outputs; ++i) use(step.first_output + i, s);
    for (int32_t value : step.inputs) use(value, s);
  }
  for (int32_t value : outputs_) use(value, n_steps);

  ArenaPlan arena;
  std::vector<int32_t> value_block(n_values(), -1);
  // All inputs are uploaded before the first step, those that no step reads too.
  for (size_t id = 0; id < inputs_.size() && device.place() != kHost; ++id) {
    value_block[id] = arena.add(static_cast<size_t>(views[id].bytes()), 0, std::max(last[id], 0));
  }
  std::vector<int32_t> step_block(steps_.size());
  TensorView storage[kMaxStepInputs];
  for (int32_t s = 0; s < n_steps; ++s) {
    PlannedStep& step = steps_[static_cast<size_t>(s)];
    for (int32_t i = 0; i < step.outputs && !step.op->is_view(); ++i) {
      const size_t id = static_cast<size_t>(step.first_output + i);
      value_block[id] = arena.add(static_cast<size_t>(views[id].bytes()), s, last[id]);
    }
    const Outputs outputs{views.data() + step.first_output, static_cast<size_t>(step.outputs)};
    const Inputs inputs = gather(step, views, storage);
    const DimValues dims{capacities_};
    const bool prepared = has_constant_weights(step) && step.op->prepared_bytes(table, dims, inputs, outputs) > 0;
    step.workspace_bytes = step.op->workspace(table, context, dims, inputs, outputs, prepared);
    step_block[static_cast<size_t>(s)] = arena.add(step.workspace_bytes, s, s);
  }
  arena.layout();
  for (size_t id = 0; id < values_.size(); ++id) {
    if (value_block[id] >= 0) values_[id].offset = arena.offset(value_block[id]);
  }
  for (size_t s = 0; s < steps_.size(); ++s) steps_[s].workspace_offset = arena.offset(step_block[s]);
  arena_bytes_ = arena.bytes();
}

bool Plan::has_constant_weights(const PlannedStep& step) const {
  const int32_t first = static_cast<int32_t>(inputs_.size());
  const int32_t end = first + static_cast<int32_t>(constants_.size());
  for (size_t i = static_cast<size_t>(step.op->first_prepared_input()); i < step.inputs.size(); ++i) {
    const int32_t value = step.inputs[i];
    if (value >= 0 && (value < first || value >= end)) return false;
  }
  return true;
}

Status Plan::prepare(Device& device, Context& context, std::vector<TensorView>& views, bool count_only) {
  TensorView storage[kMaxStepInputs];
  const DimValues dims{capacities_};
  for (PlannedStep& step : steps_) {
    if (step.op->is_view() || !has_constant_weights(step)) continue;
    const Inputs inputs = gather(step, views, storage);
    const Outputs outputs{views.data() + step.first_output, static_cast<size_t>(step.outputs)};
    const size_t bytes = step.op->prepared_bytes(device.table(), dims, inputs, outputs);
    prepared_bytes_ += bytes;
    if (bytes == 0 || count_only) continue;
    if (Status status = prepare_step(device, context, step, views, bytes); !status.ok()) return at_step(step, status);
  }
  return ok_status();
}

Status Plan::prepare_step(Device& device, Context& context, PlannedStep& step, std::vector<TensorView>& views,
                          size_t bytes) {
  if (Status status = device.allocate(bytes, step.prepared); !status.ok()) {
    return make_error(status.code, "packed weights: %s", status.text);
  }
  TensorView storage[kMaxStepInputs];
  const Inputs inputs = gather(step, views, storage);
  const Outputs outputs{views.data() + step.first_output, static_cast<size_t>(step.outputs)};
  Status status = device.begin_run();
  if (status.ok()) {
    status = step.op->prepare(device.table(), context, DimValues{capacities_}, inputs, outputs, step.prepared.get());
  }
  const Status finished = device.finish_run();
  return status.ok() ? finished : status;
}

}  // namespace silverlode
