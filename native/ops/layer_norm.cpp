#include "ops/layer_norm.h"

#include "ops/check_float.h"

namespace silverlode {

Status LayerNorm::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("epsilon", params.epsilon, 1e-5));
  if (params.epsilon >= 0) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: epsilon must not be negative, got %g", kName, params.epsilon);
}

Status LayerNorm::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 3));
  const TensorView& x = inputs[0];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "x", x, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "x", x, 1));
  const int64_t dim = x.shape.dim(-1);
  SILVERLODE_RETURN_IF_ERROR(check_optional_vector(kName, "weight", optional_input(inputs, 1), dim));
  SILVERLODE_RETURN_IF_ERROR(check_optional_vector(kName, "bias", optional_input(inputs, 2), dim));
  outputs.add(DType::kF32, x.shape);
  return ok_status();
}

void LayerNorm::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.x = inputs[0].as<const float>();
  args.weight = optional_input(inputs, 1).as<const float>();
  args.bias = optional_input(inputs, 2).as<const float>();
  args.y = outputs[0].as<float>();
  args.rows = inputs[0].shape.outer(-1);
  args.dim = inputs[0].shape.dim(-1);
  args.epsilon = params.epsilon;
}

}  // namespace silverlode
