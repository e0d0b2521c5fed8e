#include "ops/top_k.h"

#include "ops/check.h"

namespace silverlode {

Status TopK::parse(const Attributes& attributes, Params& params) { return attributes.get("k", params.k); }

Status TopK::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 2));
  const TensorView& scores = inputs[0];
  const TensorView payload = optional_input(inputs, 1);
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "scores", scores, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "scores", scores, 1));
  if (!payload.absent()) {
    SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "payload", payload, DType::kI32, scores.shape));
  }
  Shape best = scores.shape;
  best.dim(-1) = dims.resolve(params.k);
  outputs.add(DType::kF32, best);
  outputs.add(DType::kI32, best);
  outputs.add(DType::kI32, best);
  return ok_status();
}

void TopK::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.scores = inputs[0].as<const float>();
  args.payload = optional_input(inputs, 1).as<const int32_t>();
  args.has_payload = !optional_input(inputs, 1).absent();
  args.out_scores = outputs[0].as<float>();
  args.out_ids = outputs[1].as<int32_t>();
  args.out_positions = outputs[2].as<int32_t>();
  args.rows = inputs[0].shape.outer(-1);
  args.columns = inputs[0].shape.dim(-1);
  args.k = outputs[0].shape.dim(-1);
}

}  // namespace silverlode
