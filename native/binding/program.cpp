#include <cstring>

#include "backends/plugin_device.h"
#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"
#include "core/aligned.h"

namespace silverlode::binding {

Napi::Function ProgramHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeProgram",
      {InstanceMethod("sizes", &ProgramHandle::sizes), InstanceMethod("outputShapes", &ProgramHandle::output_shapes),
       InstanceMethod("valueShapes", &ProgramHandle::value_shapes), InstanceMethod("run", &ProgramHandle::run),
       InstanceMethod("dispose", &ProgramHandle::dispose)});
}

ProgramHandle::ProgramHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProgramHandle>(info) {}

Napi::Value ProgramHandle::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto state = std::make_shared<State>();
  state->device = DeviceHandle::from(info[0]);
  auto spec = std::make_shared<ProgramSpec>(read_program(info[1]));
  const Place place = state->device->device->place();
  const bool count_only = info[4].ToBoolean();
  std::vector<TensorView> constants;
  const Napi::Array given = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); ++i) {
    const Tensor& tensor = Tensor::from(given[i], "constant");
    if (tensor.place() != place && !count_only) {
      check(env, make_error(Code::kInvalidArgument, "constant %u is on %s, the program on %s", i,
                            place_name(tensor.place()).c_str(), place_name(place).c_str()));
    }
    constants.push_back(tensor.view());
    state->constant_memory.push_back(tensor.memory());
  }
  std::vector<int64_t> capacities = read_integers(info[3]);

  auto job = std::make_unique<Job>(env);
  job->device = state->device;
  job->work = [=](Context& context) {
    return Plan::make(*spec, constants, capacities, *state->device->device, context, count_only, state->plan);
  };
  job->settle = [=](Napi::Env settled) -> Napi::Value {
    const Napi::Object object = EnvState::of(settled).program_class.New({});
    Unwrap(object)->state_ = state;
    return object;
  };
  return EnvState::of(env).start(env, std::move(job));
}

ProgramHandle::State& ProgramHandle::state(Napi::Env env) const {
  if (!state_) check(env, make_error(Code::kDisposed, "the program was disposed"));
  return *state_;
}

Napi::Value ProgramHandle::sizes(const Napi::CallbackInfo& info) {
  const Plan& plan = *state(info.Env()).plan;
  const Napi::Object sizes = Napi::Object::New(info.Env());
  sizes.Set("arenaBytes", static_cast<double>(plan.arena_bytes()));
  sizes.Set("preparedBytes", static_cast<double>(plan.prepared_bytes()));
  return sizes;
}

// Views of all values at the given symbol values; only shapes and dtypes are of use.
static std::vector<TensorView> shapes_at(Napi::Env env, const Plan& plan, const std::vector<int64_t>& dims) {
  std::vector<TensorView> inputs;
  for (const ValueSpec& input : plan.inputs()) {
    TensorView view{nullptr, input.dtype, input.shape};
    for (int32_t axis = 0; axis < view.shape.rank; ++axis) {
      view.shape.dims[axis] = DimValues{dims}.resolve(view.shape.dims[axis]);
    }
    inputs.push_back(view);
  }
  std::vector<TensorView> views(plan.n_values());
  check(env, plan.bind(DimValues{dims}, inputs, views));
  return views;
}

// outputShapes(dims) -> [{dtype, shape}]
Napi::Value ProgramHandle::output_shapes(const Napi::CallbackInfo& info) {
  const Plan& plan = *state(info.Env()).plan;
  const std::vector<TensorView> views = shapes_at(info.Env(), plan, read_integers(info[0]));
  const Napi::Array shapes = Napi::Array::New(info.Env(), plan.outputs().size());
  for (uint32_t i = 0; i < plan.outputs().size(); ++i) {
    shapes.Set(i, write_spec(info.Env(), views[static_cast<size_t>(plan.outputs()[i])]));
  }
  return shapes;
}

// valueShapes(dims) -> [{dtype, shape}] of every value: inputs, constants, step outputs
Napi::Value ProgramHandle::value_shapes(const Napi::CallbackInfo& info) {
  const Plan& plan = *state(info.Env()).plan;
  const std::vector<TensorView> views = shapes_at(info.Env(), plan, read_integers(info[0]));
  const Napi::Array shapes = Napi::Array::New(info.Env(), views.size());
  for (uint32_t i = 0; i < views.size(); ++i) shapes.Set(i, write_spec(info.Env(), views[i]));
  return shapes;
}

namespace {

// What a run reads and writes, kept alive until it has settled.
struct RunMemory {
  RunRequest request;
  AlignedMemory staging;  // copies of typed arrays: JavaScript may change or detach its own at any time
  std::vector<std::shared_ptr<void>> tensors;
  std::vector<double> step_ms;
};

// A device reaches its own memory and the host's.
void require_reachable(Napi::Env env, Place place, const Device& device, const char* what) {
  if (place == kHost || place == device.place()) return;
  check(env, make_error(Code::kInvalidArgument, "'%.64s' is on %s, the program on %s", what, place_name(place).c_str(),
                        place_name(device.place()).c_str()));
}

// Dense inputs in program order: native tensors are shared, typed arrays are copied into one staging block.
void read_inputs(Napi::Env env, const Plan& plan, const Device& device, const Napi::Array& given, RunMemory& memory) {
  if (given.Length() != plan.inputs().size()) {
    check(env, make_error(Code::kInvalidArgument, "the program takes %zu inputs, got %u", plan.inputs().size(),
                          given.Length()));
  }
  size_t staging_bytes = 0;
  for (uint32_t i = 0; i < given.Length(); ++i) {
    const Napi::Value value = given[i];
    if (value.IsTypedArray()) staging_bytes += align_up(value.As<Napi::TypedArray>().ByteLength());
  }
  memory.staging = allocate_aligned(staging_bytes);
  if (!memory.staging) check(env, make_error(Code::kOutOfMemory, "cannot stage %zu input bytes", staging_bytes));
  uint8_t* next = static_cast<uint8_t*>(memory.staging.get());
  for (uint32_t i = 0; i < given.Length(); ++i) {
    const Napi::Value value = given[i];
    const ValueSpec& spec = plan.inputs()[i];
    if (!value.IsTypedArray()) {
      const Tensor& tensor = Tensor::from(value, spec.name.c_str());
      require_reachable(env, tensor.place(), device, spec.name.c_str());
      memory.request.inputs.push_back({tensor.view(), tensor.place()});
      memory.tensors.push_back(tensor.memory());
      continue;
    }
    Napi::TypedArray array = value.As<Napi::TypedArray>();
    TensorView view{next, spec.dtype, spec.shape};
    for (int32_t axis = 0; axis < view.shape.rank; ++axis) {
      view.shape.dims[axis] = DimValues{memory.request.dims}.resolve(view.shape.dims[axis]);
    }
    const size_t bytes = array.ByteLength();
    if (view.shape.elements() < 0 || view.bytes() != static_cast<int64_t>(bytes)) {
      check(env, make_error(Code::kShapeMismatch, "input '%.64s' has %zu bytes, its shape needs %lld",
                            spec.name.c_str(), bytes, static_cast<long long>(view.bytes())));
    }
    if (bytes > 0) std::memcpy(next, static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), bytes);
    next += align_up(bytes);
    memory.request.inputs.push_back({view});
  }
}

}  // namespace

// run(inputs, dims, outputs, cancel?, timed?) -> Promise<Float64Array | undefined>. Outputs are tensors, or typed arrays that
// nobody else knows yet, of the right size; null leaves one out.
Napi::Value ProgramHandle::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::shared_ptr<State> shared = state_;
  const Plan& plan = *state(env).plan;
  auto memory = std::make_shared<RunMemory>();
  memory->request.dims = read_integers(info[1]);
  read_inputs(env, plan, *shared->device->device, info[0].As<Napi::Array>(), *memory);

  auto job = std::make_unique<Job>(env);
  const Napi::Array outputs = info[2].As<Napi::Array>();
  if (outputs.Length() != plan.outputs().size()) {
    check(env, make_error(Code::kInvalidArgument, "the program has %zu outputs, got room for %u", plan.outputs().size(),
                          outputs.Length()));
  }
  std::vector<TensorView> shapes(plan.n_values());
  std::vector<TensorView> inputs;
  for (const RunInput& input : memory->request.inputs) inputs.push_back(input.view);
  check(env, plan.bind(DimValues{memory->request.dims}, inputs, shapes));
  for (uint32_t i = 0; i < outputs.Length(); ++i) {
    const Napi::Value value = outputs[i];
    const TensorView& expected = shapes[static_cast<size_t>(plan.outputs()[i])];
    TensorView target;
    Place place = kHost;
    if (value.IsTypedArray()) {
      Napi::TypedArray array = value.As<Napi::TypedArray>();
      target = {static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(),
                DType::kU8,
                {static_cast<int64_t>(array.ByteLength())}};
      job->keep.push_back(Napi::Persistent(value.As<Napi::Object>()));
    } else if (!value.IsNull()) {
      const Tensor& tensor = Tensor::from(value, "output");
      target = tensor.view();
      place = tensor.place();
      require_reachable(env, place, *shared->device->device, "output");
      memory->tensors.push_back(tensor.memory());
    }
    if (!target.absent() && target.bytes() != expected.bytes()) {
      check(env, make_error(Code::kShapeMismatch, "output %u has %lld bytes, expected %lld", i,
                            static_cast<long long>(target.bytes()), static_cast<long long>(expected.bytes())));
    }
    memory->request.outputs.push_back({target.data, place});
  }
  const bool timed = info[4].ToBoolean();
  if (timed) {
    memory->step_ms.resize(plan.steps().size());
    memory->request.step_ms = &memory->step_ms;
  }
  job->device = shared->device;
  job->cancel = CancelHandle::from(info[3]);
  job->work = [shared, memory](Context& context) {
    return run_plan(*shared->plan, *shared->device->device, context, memory->request, shared->scratch);
  };
  job->settle = [memory, timed](Napi::Env settled) -> Napi::Value {
    if (!timed) return settled.Undefined();
    Napi::Float64Array times = Napi::Float64Array::New(settled, memory->step_ms.size());
    std::memcpy(times.Data(), memory->step_ms.data(), memory->step_ms.size() * sizeof(double));
    return times;
  };
  return EnvState::of(env).start(env, std::move(job));
}

void ProgramHandle::dispose(const Napi::CallbackInfo&) { state_.reset(); }

}  // namespace silverlode::binding
