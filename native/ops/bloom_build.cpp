#include "ops/bloom_build.h"

#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode {

Status BloomBuild::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(parse_hashes(attributes, params.hashes));
  SILVERLODE_RETURN_IF_ERROR(attributes.get("positions", params.positions));
  if (params.hashes < 1) return make_error(Code::kInvalidArgument, "attribute 'hashes' must be positive");
  if (params.positions < 0 || params.positions > (int64_t{1} << 48)) {
    return make_error(Code::kInvalidArgument, "attribute 'positions' is out of range");
  }
  return ok_status();
}

Status BloomBuild::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  static const char* const names[] = {"term_offsets", "terms", "term_hashes", "offsets"};
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 4, 4));
  for (size_t i = 0; i < 4; ++i) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, names[i], inputs[i], i < 2 ? DType::kI32 : DType::kI64));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, names[i], inputs[i], 1));
  }
  const int64_t rows = inputs[0].shape.dim(0) - 1;
  if (rows < 0 || rows % kBlockRows != 0) {
    return make_error(Code::kShapeMismatch, "%s: input 'term_offsets' must have a multiple of %lld rows and one entry",
                      kName, static_cast<long long>(kBlockRows));
  }
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "offsets", inputs[3], {rows / kBlockRows + 1}));
  outputs.add(DType::kI64, {params.positions, kBlockWords});
  return ok_status();
}

void BloomBuild::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.term_offsets = inputs[0].as<const int32_t>();
  args.terms = inputs[1].as<const int32_t>();
  args.term_hashes = inputs[2].as<const int64_t>();
  args.offsets = inputs[3].as<const int64_t>();
  args.bloom = outputs[0].as<uint64_t>();
  args.rows = inputs[0].shape.dim(0) - 1;
  args.n_entries = inputs[1].shape.dim(0);
  args.n_terms = inputs[2].shape.dim(0);
  args.positions = params.positions;
  args.hashes = static_cast<int32_t>(params.hashes);
}

}  // namespace silverlode
