#include "ops/rescore.h"

#include "ops/check.h"

namespace silverlode {

Status Rescore::parse(const Attributes& attributes, Params& params) {
  std::string metric;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("metric", metric, std::string("ip")));
  return parse_metric(metric.c_str(), params.metric);
}

Status Rescore::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 3, 3));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "users", inputs[0], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "users", inputs[0], 3));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "vectors", inputs[1], 2));
  if (inputs[1].dtype != DType::kF16) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "vectors", inputs[1], DType::kF32));
  }
  const int64_t dim = inputs[0].shape.dim(2);
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "vectors", inputs[1], {inputs[1].shape.dim(0), dim}));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "index", inputs[2], 2));
  const Shape candidates = {inputs[0].shape.dim(0), inputs[2].shape.dim(1)};
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "index", inputs[2], DType::kI32, candidates));
  outputs.add(DType::kF32, candidates);
  return ok_status();
}

void Rescore::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.users = inputs[0].as<const float>();
  args.vectors = inputs[1].as<const void>();
  args.index = inputs[2].as<const int32_t>();
  args.scores = outputs[0].as<float>();
  args.batch = inputs[0].shape.dim(0);
  args.heads = inputs[0].shape.dim(1);
  args.dim = inputs[0].shape.dim(2);
  args.candidates = inputs[2].shape.dim(1);
  args.rows = inputs[1].shape.dim(0);
  args.half = inputs[1].dtype == DType::kF16;
  args.metric = params.metric;
}

}  // namespace silverlode
