#include "ops/bloom_probe.h"

#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode {

Status BloomProbe::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(parse_hashes(attributes, params.hashes));
  if (params.hashes >= 1) return ok_status();
  return make_error(Code::kInvalidArgument, "attribute 'hashes' must be positive");
}

Status BloomProbe::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 3, 3));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "bloom", inputs[0], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "bloom", inputs[0], 2));
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "bloom", inputs[0], {inputs[0].shape.dim(0), kBlockWords}));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "offsets", inputs[1], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "offsets", inputs[1], 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "hashes", inputs[2], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "hashes", inputs[2], 1));
  const int64_t blocks = inputs[1].shape.dim(0) - 1;
  if (blocks < 0 || blocks > INT32_MAX) {
    return make_error(Code::kShapeMismatch, "%s: input 'offsets' must have an entry more than there are blocks", kName);
  }
  outputs.add(DType::kI64, {inputs[2].shape.dim(0), blocks * kBlockWords});
  return ok_status();
}

void BloomProbe::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.bloom = inputs[0].as<const uint64_t>();
  args.offsets = inputs[1].as<const int64_t>();
  args.term_hashes = inputs[2].as<const int64_t>();
  args.hits = outputs[0].as<uint64_t>();
  args.blocks = inputs[1].shape.dim(0) - 1;
  args.positions = inputs[0].shape.dim(0);
  args.n_terms = inputs[2].shape.dim(0);
  args.hashes = static_cast<int32_t>(params.hashes);
}

}  // namespace silverlode
