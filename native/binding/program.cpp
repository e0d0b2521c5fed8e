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
       InstanceMethod("runToArrays", &ProgramHandle::run_to_arrays),
       InstanceMethod("runHere", &ProgramHandle::run_here), InstanceMethod("dispose", &ProgramHandle::dispose)});
}

ProgramHandle::ProgramHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProgramHandle>(info) {}

// A program that is to be planned, from the arguments of `create`.
struct ProgramHandle::Draft {
  std::shared_ptr<State> state;
  std::function<Status(Context& context)> plan;

  Draft(const Napi::CallbackInfo& info, bool count_only) : state(std::make_shared<State>()) {
    const Napi::Env env = info.Env();
    state->device = DeviceHandle::from(info[0]);
    auto spec = std::make_shared<ProgramSpec>(read_program(info[1]));
    const Place place = state->device->device->place();
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
    plan = [count_only, spec, constants, capacities = read_integers(info[3]), state = state](Context& context) {
      return Plan::make(*spec, constants, capacities, *state->device->device, context, count_only, state->plan);
    };
  }

  Napi::Object handle(Napi::Env env) const {
    const Napi::Object object = EnvState::of(env).program_class.New({});
    Unwrap(object)->state_ = state;
    return object;
  }
};

Napi::Value ProgramHandle::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Draft draft(info, info[4].ToBoolean());
  auto job = std::make_unique<Job>(env);
  job->device = draft.state->device;
  job->work = draft.plan;
  job->settle = [draft](Napi::Env settled) -> Napi::Value { return draft.handle(settled); };
  return EnvState::of(env).start(env, std::move(job));
}

Napi::Value ProgramHandle::create_here(const Napi::CallbackInfo& info) {
  const Draft draft(info, false);
  check(info.Env(), draft.state->device->run_here(draft.plan));
  return draft.handle(info.Env());
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

// What a run reads and writes, kept alive until it has settled; freed on the JavaScript thread.
struct RunMemory {
  RunRequest request;
  AlignedMemory staging;          // copies of typed arrays: JavaScript may change or detach its own at any time
  std::vector<TensorView> views;  // of the bound request
  std::vector<std::shared_ptr<void>> tensors;
  std::vector<double> step_ms;
  Napi::Reference<Napi::ArrayBuffer> results;  // for runs that make their own output arrays
};

// A device reaches its own memory and the host's.
void require_reachable(Napi::Env env, Place place, const Device& device, const char* what) {
  if (place == kHost || place == device.place()) return;
  check(env, make_error(Code::kInvalidArgument, "'%.64s' is on %s, the program on %s", what, place_name(place).c_str(),
                        place_name(device.place()).c_str()));
}

struct ArrayBytes {
  void* data = nullptr;
  size_t bytes = 0;
};

// One call across the border: each costs more than it copies for the short arrays of a request.
ArrayBytes array_bytes(Napi::Env env, const Napi::Value& array) {
  napi_typedarray_type type;
  size_t length = 0;
  ArrayBytes found;
  if (napi_get_typedarray_info(env, array, &type, &length, &found.data, nullptr, nullptr) != napi_ok) {
    check(env, make_error(Code::kInvalidArgument, "expected a typed array"));
  }
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: found.bytes = length; break;
    case napi_int16_array:
    case napi_uint16_array: found.bytes = 2 * length; break;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: found.bytes = 4 * length; break;
    default: found.bytes = 8 * length;
  }
  return found;
}

// Dense inputs in program order: native tensors are shared, typed arrays are copied into one staging block.
void read_inputs(Napi::Env env, const Plan& plan, const Device& device, const Napi::Array& given, RunMemory& memory) {
  const uint32_t count = given.Length();
  if (count != plan.inputs().size()) {
    check(env, make_error(Code::kInvalidArgument, "the program takes %zu inputs, got %u", plan.inputs().size(), count));
  }
  std::vector<ArrayBytes> arrays(count);
  memory.request.inputs.resize(count);
  size_t staging_bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Napi::Value value = given[i];
    const ValueSpec& spec = plan.inputs()[i];
    TensorView& view = memory.request.inputs[i].view;
    if (!value.IsTypedArray()) {
      const Tensor& tensor = Tensor::from(value, spec.name.c_str());
      require_reachable(env, tensor.place(), device, spec.name.c_str());
      memory.request.inputs[i] = {tensor.view(), tensor.place()};
      memory.tensors.push_back(tensor.memory());
      continue;
    }
    arrays[i] = array_bytes(env, value);
    staging_bytes += align_up(arrays[i].bytes);
    view.dtype = spec.dtype;
    view.shape = spec.shape;
    for (int32_t axis = 0; axis < view.shape.rank; ++axis) {
      view.shape.dims[axis] = DimValues{memory.request.dims}.resolve(view.shape.dims[axis]);
    }
    if (view.shape.elements() < 0 || view.bytes() != static_cast<int64_t>(arrays[i].bytes)) {
      check(env, make_error(Code::kShapeMismatch, "input '%.64s' has %zu bytes, its shape needs %lld",
                            spec.name.c_str(), arrays[i].bytes, static_cast<long long>(view.bytes())));
    }
  }
  memory.staging = allocate_aligned(staging_bytes);
  if (!memory.staging) check(env, make_error(Code::kOutOfMemory, "cannot stage %zu input bytes", staging_bytes));
  uint8_t* next = static_cast<uint8_t*>(memory.staging.get());
  for (uint32_t i = 0; i < count; ++i) {
    TensorView& view = memory.request.inputs[i].view;
    if (view.data != nullptr) continue;
    view.data = next;
    if (arrays[i].bytes > 0) std::memcpy(next, arrays[i].data, arrays[i].bytes);
    next += align_up(arrays[i].bytes);
  }
}

// Outputs are tensors, or typed arrays that nobody else knows yet, of the right size; null leaves one out.
void read_outputs(Napi::Env env, const Plan& plan, const Device& device, const Napi::Array& outputs, RunMemory& memory,
                  Job& job) {
  if (outputs.Length() != plan.outputs().size()) {
    check(env, make_error(Code::kInvalidArgument, "the program has %zu outputs, got room for %u", plan.outputs().size(),
                          outputs.Length()));
  }
  for (uint32_t i = 0; i < plan.outputs().size(); ++i) {
    const Napi::Value value = outputs[i];
    const TensorView& expected = memory.views[static_cast<size_t>(plan.outputs()[i])];
    ArrayBytes target;
    Place place = kHost;
    if (value.IsTypedArray()) {
      target = array_bytes(env, value);
      job.keep.push_back(Napi::Persistent(value.As<Napi::Object>()));
    } else if (!value.IsNull()) {
      const Tensor& tensor = Tensor::from(value, "output");
      target = {tensor.view().data, static_cast<size_t>(tensor.view().bytes())};
      place = tensor.place();
      require_reachable(env, place, device, "output");
      memory.tensors.push_back(tensor.memory());
    }
    if (!value.IsNull() && static_cast<int64_t>(target.bytes) != expected.bytes()) {
      check(env, make_error(Code::kShapeMismatch, "output %u has %zu bytes, expected %lld", i, target.bytes,
                            static_cast<long long>(expected.bytes())));
    }
    memory.request.outputs.push_back({target.data, place});
  }
}

// Room for all outputs in one buffer.
void make_outputs(Napi::Env env, const Plan& plan, RunMemory& memory) {
  size_t bytes = 0;
  for (int32_t id : plan.outputs())
    bytes += align_up(static_cast<size_t>(memory.views[static_cast<size_t>(id)].bytes()));
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes);
  memory.results = Napi::Persistent(buffer);
  uint8_t* next = static_cast<uint8_t*>(buffer.Data());
  for (int32_t id : plan.outputs()) {
    memory.request.outputs.push_back({next});
    next += align_up(static_cast<size_t>(memory.views[static_cast<size_t>(id)].bytes()));
  }
}

napi_typedarray_type array_type(DType dtype) {
  switch (dtype) {
    case DType::kF32: return napi_float32_array;
    case DType::kI32: return napi_int32_array;
    case DType::kI64: return napi_bigint64_array;
    case DType::kI8: return napi_int8_array;
    case DType::kF16:
    case DType::kBF16: return napi_uint16_array;
    default: return napi_uint8_array;
  }
}

// The buffer of make_outputs as one typed array per output.
Napi::Value output_arrays(Napi::Env env, const Plan& plan, const RunMemory& memory) {
  const Napi::ArrayBuffer buffer = memory.results.Value();
  const Napi::Array arrays = Napi::Array::New(env, plan.outputs().size());
  size_t offset = 0;
  for (uint32_t i = 0; i < plan.outputs().size(); ++i) {
    const TensorView& view = memory.views[static_cast<size_t>(plan.outputs()[i])];
    napi_value array;
    if (napi_create_typedarray(env, array_type(view.dtype), static_cast<size_t>(view.elements()), buffer, offset,
                               &array) != napi_ok) {
      throw Napi::Error::New(env);
    }
    arrays.Set(i, array);
    offset += align_up(static_cast<size_t>(view.bytes()));
  }
  return arrays;
}

// The first two arguments of a run: inputs and dims.
std::shared_ptr<RunMemory> bound_run(Napi::Env env, const ProgramHandle::State& state, const Napi::CallbackInfo& info) {
  auto memory = std::make_shared<RunMemory>();
  const Device& device = *state.device->device;
  memory->request.dims = read_integers(info[1]);
  read_inputs(env, *state.plan, device, info[0].As<Napi::Array>(), *memory);
  check(env, bind_run(*state.plan, device.place(), memory->request, memory->views));
  return memory;
}

Napi::Value start(Napi::Env env, std::unique_ptr<Job> job, const std::shared_ptr<ProgramHandle::State>& state,
                  const std::shared_ptr<RunMemory>& memory) {
  job->device = state->device;
  job->work = [state, memory](Context& context) {
    return run_plan(*state->plan, *state->device->device, context, memory->request, memory->views, state->scratch);
  };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace

// run(inputs, dims, outputs, cancel?, timed?) -> Promise<Float64Array | undefined>
Napi::Value ProgramHandle::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<RunMemory> memory = bound_run(env, state(env), info);
  auto job = std::make_unique<Job>(env);
  read_outputs(env, *state_->plan, *state_->device->device, info[2].As<Napi::Array>(), *memory, *job);
  const bool timed = info[4].ToBoolean();
  if (timed) {
    memory->step_ms.resize(state_->plan->steps().size());
    memory->request.step_ms = &memory->step_ms;
  }
  job->cancel = CancelHandle::from(info[3]);
  job->settle = [memory, timed](Napi::Env settled) -> Napi::Value {
    if (!timed) return settled.Undefined();
    Napi::Float64Array times = Napi::Float64Array::New(settled, memory->step_ms.size());
    std::memcpy(times.Data(), memory->step_ms.data(), memory->step_ms.size() * sizeof(double));
    return times;
  };
  return start(env, std::move(job), state_, memory);
}

// runToArrays(inputs, dims, cancel?) -> Promise<TypedArray[]>
Napi::Value ProgramHandle::run_to_arrays(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<RunMemory> memory = bound_run(env, state(env), info);
  make_outputs(env, *state_->plan, *memory);
  auto job = std::make_unique<Job>(env);
  job->cancel = CancelHandle::from(info[2]);
  job->settle = [memory, shared = state_](Napi::Env settled) { return output_arrays(settled, *shared->plan, *memory); };
  return start(env, std::move(job), state_, memory);
}

// runHere(inputs, dims) -> TypedArray[], on this thread
Napi::Value ProgramHandle::run_here(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<RunMemory> memory = bound_run(env, state(env), info);
  make_outputs(env, *state_->plan, *memory);
  check(env, state_->device->run_here([&](Context& context) {
    return run_plan(*state_->plan, *state_->device->device, context, memory->request, memory->views, state_->scratch);
  }));
  return output_arrays(env, *state_->plan, *memory);
}

void ProgramHandle::dispose(const Napi::CallbackInfo&) { state_.reset(); }

}  // namespace silverlode::binding
