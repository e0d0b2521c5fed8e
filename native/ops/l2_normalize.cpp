#include "ops/l2_normalize.h"

#include "ops/check.h"

namespace silverlode {

Status L2Normalize::parse(const Attributes&, Params&) { return ok_status(); }

Status L2Normalize::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "x", inputs[0], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "x", inputs[0], 1));
  outputs.add(DType::kF32, inputs[0].shape);
  return ok_status();
}

void L2Normalize::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.x = inputs[0].as<const float>();
  args.y = outputs[0].as<float>();
  args.rows = inputs[0].shape.outer(-1);
  args.dim = inputs[0].shape.dim(-1);
}

}  // namespace silverlode
