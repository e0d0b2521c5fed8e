#include "ops/rotate.h"

#include "ops/check.h"

namespace silverlode {

Status Rotate::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("centre", params.centre, int64_t{0}));
  if (params.centre == 0 || params.centre == 1) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: centre must be 0 or 1, got %lld", kName,
                    static_cast<long long>(params.centre));
}

Status Rotate::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 3));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "values", inputs[0], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "values", inputs[0], 1));
  Shape rotated = inputs[0].shape;
  Shape offsets = rotated;
  --offsets.rank;
  const int64_t dim = rotated.dim(-1);
  if (dim < 0) {
    return make_error(Code::kShapeMismatch, "%s: the last dimension of 'values' must be known, got %s", kName,
                      shape_text(rotated).c_str());
  }
  rotated.dim(-1) = (dim + kPadTo - 1) / kPadTo * kPadTo;
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "signs", inputs[1], DType::kI8, Shape{rotated.dim(-1)}));
  const TensorView mean = optional_input(inputs, 2);
  if (!mean.absent()) SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "mean", mean, DType::kF32, Shape{dim}));
  if (params.centre == 1 && mean.absent()) {
    return make_error(Code::kInvalidArgument, "%s: centre is 1 but there is no 'mean'", kName);
  }
  outputs.add(DType::kF32, rotated);
  outputs.add(DType::kF32, offsets);
  return ok_status();
}

void Rotate::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.values = inputs[0].as<const float>();
  args.signs = inputs[1].as<const int8_t>();
  args.mean = optional_input(inputs, 2).as<const float>();
  args.rotated = outputs[0].as<float>();
  args.offsets = outputs[1].as<float>();
  args.rows = outputs[1].elements();
  args.dim = inputs[0].shape.dim(-1);
  args.padded_dim = outputs[0].shape.dim(-1);
  args.centre = params.centre == 1;
}

}  // namespace silverlode
