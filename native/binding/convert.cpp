#include "binding/convert.h"

#include <cmath>

#include "binding/env_state.h"

namespace silverlode::binding {

namespace {

[[noreturn]] void refuse(Napi::Env env, const char* what) {
  throw EnvState::of(env).error(env, make_error(Code::kInvalidArgument, "%s", what));
}

Napi::Array read_array(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) refuse(value.Env(), what);
  return value.As<Napi::Array>();
}

Napi::Object read_object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) refuse(value.Env(), what);
  return value.As<Napi::Object>();
}

std::string read_text(const Napi::Value& value, const char* what) {
  if (!value.IsString()) refuse(value.Env(), what);
  return value.As<Napi::String>().Utf8Value();
}

bool is_integer(double number) { return std::trunc(number) == number && std::fabs(number) < 9007199254740992.0; }

int64_t read_integer(const Napi::Value& value, const char* what) {
  double number = 0;
  if (napi_get_value_double(value.Env(), value, &number) != napi_ok || !is_integer(number)) refuse(value.Env(), what);
  return static_cast<int64_t>(number);
}

Attribute read_attribute(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    return is_integer(number) ? Attribute(static_cast<int64_t>(number)) : Attribute(number);
  }
  const Napi::Array array = read_array(value, "an attribute must be a number, a text or a list of numbers");
  std::vector<double> numbers;
  bool integral = true;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value entry = array[i];
    if (!entry.IsNumber()) refuse(value.Env(), "a list attribute must hold numbers");
    numbers.push_back(entry.As<Napi::Number>().DoubleValue());
    integral = integral && is_integer(numbers.back());
  }
  if (!integral) return numbers;
  return std::vector<int64_t>(numbers.begin(), numbers.end());
}

std::vector<ValueSpec> read_values(const Napi::Value& value, const char* what) {
  const Napi::Array array = read_array(value, what);
  std::vector<ValueSpec> values;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object entry = read_object(array[i], what);
    values.push_back(
        {read_text(entry.Get("name"), what), read_dtype(entry.Get("dtype")), read_shape(entry.Get("shape"))});
  }
  return values;
}

std::vector<int32_t> read_ids(const Napi::Value& value) {
  std::vector<int32_t> ids;
  for (int64_t id : read_integers(value)) {
    if (id < -1 || id > 1 << 20) refuse(value.Env(), "a value id is out of range");
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

}  // namespace

DType read_dtype(const Napi::Value& value) {
  const std::string name = read_text(value, "a dtype must be a text");
  const DType dtype = dtype_from_name(name.c_str());
  if (dtype == DType::kNone) {
    const Status status = make_error(Code::kUnsupportedDtype, "unknown dtype '%.32s'", name.c_str());
    throw EnvState::of(value.Env()).error(value.Env(), status);
  }
  return dtype;
}

Shape read_shape(const Napi::Value& value) {
  const std::vector<int64_t> dims = read_integers(value);
  if (dims.size() > static_cast<size_t>(Shape::kMaxRank)) refuse(value.Env(), "a tensor has at most 6 dimensions");
  Shape shape;
  for (int64_t dim : dims) shape.push(dim);
  return shape;
}

Napi::Array write_shape(Napi::Env env, const Shape& shape) {
  const Napi::Array array = Napi::Array::New(env, static_cast<size_t>(shape.rank));
  for (int32_t axis = 0; axis < shape.rank; ++axis) {
    array.Set(static_cast<uint32_t>(axis), Napi::Number::New(env, static_cast<double>(shape.dims[axis])));
  }
  return array;
}

std::vector<int64_t> read_integers(const Napi::Value& value) {
  const Napi::Array array = read_array(value, "expected a list of integers");
  std::vector<int64_t> integers(array.Length());
  for (uint32_t i = 0; i < integers.size(); ++i) integers[i] = read_integer(array[i], "expected a list of integers");
  return integers;
}

Attributes read_attributes(const Napi::Value& value) {
  const Napi::Object object = read_object(value, "attributes must be an object");
  const Napi::Array names = object.GetPropertyNames();
  Attributes attributes;
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = Napi::Value(names[i]).ToString().Utf8Value();
    attributes.values[name] = read_attribute(object.Get(name));
  }
  return attributes;
}

ProgramSpec read_program(const Napi::Value& value) {
  const Napi::Object object = read_object(value, "a program must be an object");
  ProgramSpec spec;
  const Napi::Array symbols = read_array(object.Get("symbols"), "symbols must be a list");
  for (uint32_t i = 0; i < symbols.Length(); ++i)
    spec.symbols.push_back(read_text(symbols[i], "a symbol must be a text"));
  spec.inputs = read_values(object.Get("inputs"), "inputs must be a list of {name, dtype, shape}");
  spec.constants = read_values(object.Get("constants"), "constants must be a list of {name, dtype, shape}");
  const Napi::Array steps = read_array(object.Get("steps"), "steps must be a list");
  for (uint32_t i = 0; i < steps.Length(); ++i) {
    const Napi::Object entry = read_object(steps[i], "a step must be an object");
    StepSpec step;
    step.op = read_text(entry.Get("op"), "a step must name its op");
    step.label = entry.Get("label").IsString() ? entry.Get("label").As<Napi::String>().Utf8Value() : "";
    step.attributes = read_attributes(entry.Get("attributes"));
    step.inputs = read_ids(entry.Get("inputs"));
    step.outputs = static_cast<int32_t>(read_integer(entry.Get("outputs"), "a step must count its outputs"));
    spec.steps.push_back(std::move(step));
  }
  spec.outputs = read_ids(object.Get("outputs"));
  return spec;
}

std::vector<TensorView> read_specs(const Napi::Value& value) {
  const Napi::Array array = read_array(value, "expected a list of {dtype, shape}");
  std::vector<TensorView> views;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value entry = array[i];
    TensorView view;
    if (!entry.IsNull() && !entry.IsUndefined()) {
      const Napi::Object object = read_object(entry, "expected {dtype, shape}");
      view.dtype = read_dtype(object.Get("dtype"));
      view.shape = read_shape(object.Get("shape"));
    }
    views.push_back(view);
  }
  return views;
}

Napi::Object write_spec(Napi::Env env, const TensorView& view) {
  const Napi::Object spec = Napi::Object::New(env);
  spec.Set("dtype", dtype_name(view.dtype));
  spec.Set("shape", write_shape(env, view.shape));
  return spec;
}

Napi::Array write_specs(Napi::Env env, const OutputSpecs& specs) {
  const Napi::Array array = Napi::Array::New(env, static_cast<size_t>(specs.count));
  for (int32_t i = 0; i < specs.count; ++i) {
    array.Set(static_cast<uint32_t>(i), write_spec(env, {nullptr, specs.dtypes[i], specs.shapes[i]}));
  }
  return array;
}

}  // namespace silverlode::binding
