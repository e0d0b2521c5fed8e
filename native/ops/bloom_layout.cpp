#include "ops/bloom_layout.h"

#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode {

Status BloomLayout::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("bits_per_term", params.bits_per_term, params.bits_per_term));
  if (params.bits_per_term >= 1 && params.bits_per_term <= 256) return ok_status();
  return make_error(Code::kInvalidArgument, "attribute 'bits_per_term' must lie in [1, 256]");
}

Status BloomLayout::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "term_offsets", inputs[0], DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "term_offsets", inputs[0], 1));
  const int64_t rows = inputs[0].shape.dim(0) - 1;
  if (rows < 0 || rows % kBlockRows != 0) {
    return make_error(Code::kShapeMismatch, "%s: input 'term_offsets' must have a multiple of %lld rows and one entry",
                      kName, static_cast<long long>(kBlockRows));
  }
  outputs.add(DType::kI64, {rows / kBlockRows + 1});
  return ok_status();
}

void BloomLayout::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.term_offsets = inputs[0].as<const int32_t>();
  args.offsets = outputs[0].as<int64_t>();
  args.rows = inputs[0].shape.dim(0) - 1;
  args.bits_per_term = params.bits_per_term;
}

}  // namespace silverlode
