#include "ops/elementwise.h"

#include <iterator>

#include "ops/check.h"

namespace silverlode {

namespace {

bool is_binary(Elementwise::Function function) {
  return function == Elementwise::Function::kAdd || function == Elementwise::Function::kMultiply;
}

bool is_suffix(const Shape& part, const Shape& whole) {
  if (part.rank > whole.rank) return false;
  for (int32_t axis = 1; axis <= part.rank; ++axis) {
    if (part.dim(-axis) != whole.dim(-axis)) return false;
  }
  return true;
}

bool is_per_row(const Shape& part, Shape whole) {
  if (whole.rank == 0) return false;
  whole.dim(-1) = 1;
  return part == whole;
}

}  // namespace

Status Elementwise::parse(const Attributes& attributes, Params& params) {
  static constexpr const char* kNames[] = {"add", "multiply", "relu", "gelu", "silu", "sigmoid", "tanh"};
  std::string function;
  SILVERLODE_RETURN_IF_ERROR(attributes.get("function", function));
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(kNames)); ++i) {
    if (function == kNames[i]) {
      params.function = static_cast<Function>(i);
      return ok_status();
    }
  }
  return make_error(Code::kInvalidArgument,
                    "%s: unknown function '%.64s': expected add, multiply, relu, gelu, silu, sigmoid or tanh", kName,
                    function.c_str());
}

Status Elementwise::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  const size_t count = is_binary(params.function) ? 2 : 1;
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, count, count));
  const TensorView& a = inputs[0];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "a", a, DType::kF32));
  if (count == 2) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "b", inputs[1], DType::kF32));
    if (!is_suffix(inputs[1].shape, a.shape) && !is_per_row(inputs[1].shape, a.shape)) {
      return make_error(Code::kShapeMismatch,
                        "%s: input 'b' must have the shape of 'a', %s, a suffix of it or one number per row, got %s",
                        kName, shape_text(a.shape).c_str(), shape_text(inputs[1].shape).c_str());
    }
  }
  outputs.add(DType::kF32, a.shape);
  return ok_status();
}

void Elementwise::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  const bool binary = is_binary(params.function);
  args.a = inputs[0].as<const float>();
  args.b = binary ? inputs[1].as<const float>() : nullptr;
  args.y = outputs[0].as<float>();
  args.elements = inputs[0].elements();
  args.b_elements = binary ? inputs[1].elements() : 0;
  args.repeat = binary && is_per_row(inputs[1].shape, inputs[0].shape) ? inputs[0].shape.dim(-1) : 1;
  args.function = params.function;
}

}  // namespace silverlode
