// JavaScript values to native ones and back. Each reader throws INVALID_ARGUMENT as a JavaScript exception.
#pragma once

#include <napi.h>

#include "ops/device.h"
#include "program/spec.h"

namespace silverlode::binding {

DType read_dtype(const Napi::Value& value);
// "cpu", "cuda:0", "cuda:1", …; whether there is such a device shows when it is used.
Place read_place(const Napi::Value& value);
Shape read_shape(const Napi::Value& value);  // number[], negative = symbol
Napi::Array write_shape(Napi::Env env, const Shape& shape);
std::vector<int64_t> read_integers(const Napi::Value& value);
Attributes read_attributes(const Napi::Value& value);  // {name: number | string | number[]}
ProgramSpec read_program(const Napi::Value& value);    // ProgramSpec of lib/native/addon.ts

Napi::Object write_spec(Napi::Env env, const TensorView& view);  // {dtype, shape}
// [{dtype, shape} | null]
std::vector<TensorView> read_specs(const Napi::Value& value);
Napi::Array write_specs(Napi::Env env, const OutputSpecs& specs);

}  // namespace silverlode::binding
