#include "ops/filter_check.h"

#include "ops/check.h"

namespace silverlode {

Status FilterCheck::parse(const Attributes& attributes, Params& params) {
  return parse_hashes(attributes, params.hashes);
}

Status FilterCheck::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 4 + kFilterIndexInputs, 4 + kFilterIndexInputs));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "lo", inputs[0], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "lo", inputs[0], 2));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "hi", inputs[1], DType::kI64, inputs[0].shape));
  SILVERLODE_RETURN_IF_ERROR(check_plan_inputs(kName, inputs, 2));
  const int64_t plans = inputs[0].shape.dim(0);
  if (plans >= 0 && inputs[2].shape.dim(0) >= 0) {
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "plan_offsets", inputs[2], {plans + 1}));
  }
  SILVERLODE_RETURN_IF_ERROR(check_filter_index(kName, inputs, 4, inputs[0].shape.dim(1)));
  outputs.add(DType::kI64, inputs[0].shape);
  return ok_status();
}

void FilterCheck::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.words = inputs[0].shape.dim(1);
  args.plans = bind_plans(inputs, 2);
  args.filter = bind_filter_index(inputs, 4, args.words, params.hashes);
  args.lo = inputs[0].as<const uint64_t>();
  args.hi = inputs[1].as<const uint64_t>();
  args.mask = outputs[0].as<uint64_t>();
}

}  // namespace silverlode
