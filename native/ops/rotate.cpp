#include "ops/rotate.h"

#include <iterator>

#include "ops/check.h"

namespace silverlode {

Status Rotate::parse(const Attributes& attributes, Params& params) {
  static constexpr const char* kNames[] = {"nothing", "mean", "aligned"};
  std::string subtract;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("subtract", subtract, std::string("nothing")));
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(kNames)); ++i) {
    if (subtract != kNames[i]) continue;
    params.subtract = static_cast<Subtract>(i);
    return ok_status();
  }
  return make_error(Code::kInvalidArgument, "%s: subtract must be nothing, mean or aligned, got '%.64s'", kName,
                    subtract.c_str());
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
  if (params.subtract != Subtract::kNothing && mean.absent()) {
    return make_error(Code::kInvalidArgument, "%s: there is no 'mean' to subtract", kName);
  }
  outputs.add(DType::kF32, rotated);
  outputs.add(DType::kF32, offsets);
  outputs.add(DType::kF32, offsets);
  return ok_status();
}

void Rotate::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.values = inputs[0].as<const float>();
  args.signs = inputs[1].as<const int8_t>();
  args.mean = optional_input(inputs, 2).as<const float>();
  args.rotated = outputs[0].as<float>();
  args.offsets = outputs[1].as<float>();
  args.factors = outputs[2].as<float>();
  args.rows = outputs[1].elements();
  args.dim = inputs[0].shape.dim(-1);
  args.padded_dim = outputs[0].shape.dim(-1);
  args.subtract = params.subtract;
}

}  // namespace silverlode
