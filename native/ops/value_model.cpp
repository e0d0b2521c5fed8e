#include "ops/value_model.h"

#include "ops/check.h"

namespace silverlode {

Status ValueModel::parse(const Attributes&, Params&) { return ok_status(); }

Status ValueModel::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 7, 7));
  const TensorView& logits = inputs[0];
  const TensorView& scores = inputs[1];
  const TensorView& columns = inputs[3];
  const TensorView& weights = inputs[4];
  const TensorView& steps = inputs[5];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "scores", scores, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "scores", scores, 2));
  const int64_t batch = scores.shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "ordinals", inputs[2], DType::kI32, scores.shape));
  if (!logits.absent()) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "logits", logits, DType::kF32));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "logits", logits, 3));
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "logits", logits, {batch, scores.shape.dim(1), logits.shape.dim(2)}));
  }
  if (!columns.absent()) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "columns", columns, DType::kF32));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "columns", columns, 2));
  }
  if (!weights.absent()) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "weights", weights, DType::kF32));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "weights", weights, 2));
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "weights", weights, {batch, weights.shape.dim(1)}));
  }
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "steps", steps, DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "steps", steps, 2));
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "steps", steps, {steps.shape.dim(0), 2}));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "constants", inputs[6], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "constants", inputs[6], 1));
  outputs.add(DType::kF32, scores.shape);
  return ok_status();
}

void ValueModel::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.logits = inputs[0].as<const float>();
  args.scores = inputs[1].as<const float>();
  args.ordinals = inputs[2].as<const int32_t>();
  args.columns = inputs[3].as<const float>();
  args.weights = inputs[4].as<const float>();
  args.steps = inputs[5].as<const int32_t>();
  args.constants = inputs[6].as<const float>();
  args.values = outputs[0].as<float>();
  args.batch = inputs[1].shape.dim(0);
  args.candidates = inputs[1].shape.dim(1);
  args.tasks = inputs[0].absent() ? 0 : inputs[0].shape.dim(2);
  args.items = inputs[3].absent() ? 0 : inputs[3].shape.dim(0);
  args.n_columns = inputs[3].absent() ? 0 : inputs[3].shape.dim(1);
  args.n_weights = inputs[4].absent() ? 0 : inputs[4].shape.dim(1);
  args.n_steps = inputs[5].shape.dim(0);
  args.n_constants = inputs[6].shape.dim(0);
}

}  // namespace silverlode
