#include "ops/linear.h"

#include "ops/check_float.h"

namespace silverlode {

Status Linear::parse(const Attributes& attributes, Params& params) {
  std::string activation;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("activation", activation, std::string("none")));
  return parse_activation(activation.c_str(), params.activation);
}

Status Linear::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 3));
  const TensorView& x = inputs[0];
  const TensorView& weight = inputs[1];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "x", x, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "x", x, 1));
  SILVERLODE_RETURN_IF_ERROR(check_float_dtype(kName, "weight", weight));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "weight", weight, 2));
  const int64_t out_dim = weight.shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "weight", weight, {out_dim, x.shape.dim(-1)}));
  SILVERLODE_RETURN_IF_ERROR(check_optional_vector(kName, "bias", optional_input(inputs, 2), out_dim));
  Shape y = x.shape;
  y.dim(-1) = out_dim;
  outputs.add(DType::kF32, y);
  return ok_status();
}

void Linear::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  const TensorView& weight = inputs[1];
  args.x = inputs[0].as<const float>();
  args.weight = weight.data;
  args.bias = optional_input(inputs, 2).as<const float>();
  args.y = outputs[0].as<float>();
  args.rows = inputs[0].shape.outer(-1);
  args.in_dim = weight.shape.dim(1);
  args.out_dim = weight.shape.dim(0);
  args.weight_dtype = weight.dtype;
  args.activation = params.activation;
  args.prepared = nullptr;
}

}  // namespace silverlode
