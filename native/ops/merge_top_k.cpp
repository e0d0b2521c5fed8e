#include "ops/merge_top_k.h"

#include "ops/check.h"

namespace silverlode {

Status MergeTopK::parse(const Attributes& attributes, Params& params) { return attributes.get("k", params.k); }

Status MergeTopK::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 3));
  const TensorView& scores = inputs[0];
  const TensorView counts = optional_input(inputs, 2);
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "scores", scores, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "scores", scores, 3));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "ids", inputs[1], DType::kI32, scores.shape));
  const int64_t batch = scores.shape.dim(0);
  if (!counts.absent()) SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "counts", counts, DType::kI32, {batch}));
  const Shape best = {batch, dims.resolve(params.k)};
  outputs.add(DType::kF32, best);
  outputs.add(DType::kI32, best);
  outputs.add(DType::kI32, best);
  return ok_status();
}

void MergeTopK::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.scores = inputs[0].as<const float>();
  args.ids = inputs[1].as<const int32_t>();
  args.counts = optional_input(inputs, 2).as<const int32_t>();
  args.out_scores = outputs[0].as<float>();
  args.out_ids = outputs[1].as<int32_t>();
  args.out_sources = outputs[2].as<int32_t>();
  args.batch = inputs[0].shape.dim(0);
  args.lists = inputs[0].shape.dim(1);
  args.columns = inputs[0].shape.dim(2);
  args.k = outputs[0].shape.dim(1);
}

}  // namespace silverlode
