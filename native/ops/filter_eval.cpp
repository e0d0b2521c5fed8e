#include "ops/filter_eval.h"

#include "ops/check.h"

namespace silverlode {

Status FilterEval::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("plans", params.plans, kFromOffsets));
  return parse_hashes(attributes, params.hashes);
}

Status FilterEval::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 3 + kFilterIndexInputs, 3 + kFilterIndexInputs));
  SILVERLODE_RETURN_IF_ERROR(check_plan_inputs(kName, inputs, 0));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "live", inputs[2], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "live", inputs[2], 1));
  const int64_t words = inputs[2].shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_filter_index(kName, inputs, 3, words));

  const int64_t offsets = inputs[0].shape.dim(0);
  int64_t plans = dims.resolve(params.plans);
  if (params.plans == kFromOffsets) plans = offsets - 1;
  if (offsets < 0 && params.plans == kFromOffsets) {
    return make_error(Code::kInvalidArgument, "%s: attribute 'plans' is needed while plan_offsets is symbolic", kName);
  }
  if (offsets >= 0 && plans >= 0)
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "plan_offsets", inputs[0], {plans + 1}));
  outputs.add(DType::kI64, {plans, words});
  outputs.add(DType::kI64, {plans, words});
  return ok_status();
}

void FilterEval::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.words = inputs[2].shape.dim(0);
  args.plans = bind_plans(inputs, 0);
  args.filter = bind_filter_index(inputs, 3, args.words, params.hashes);
  args.live = inputs[2].as<const uint64_t>();
  args.lo = outputs[0].as<uint64_t>();
  args.hi = outputs[1].as<uint64_t>();
}

}  // namespace silverlode
