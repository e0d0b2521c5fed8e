#include "ops/slice_build.h"

#include "ops/check.h"
#include "ops/filter_index.h"

namespace silverlode {

Status SliceBuild::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get("slices", params.slices));
  if (params.slices >= 0 && params.slices <= INT32_MAX) return ok_status();
  return make_error(Code::kInvalidArgument, "attribute 'slices' must not be negative");
}

Status SliceBuild::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  static const char* const names[] = {"term_offsets", "terms", "slice_of_term"};
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 3, 3));
  for (size_t i = 0; i < 3; ++i) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, names[i], inputs[i], DType::kI32));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, names[i], inputs[i], 1));
  }
  const int64_t rows = inputs[0].shape.dim(0) - 1;
  if (rows < 0 || rows % kBlockRows != 0) {
    return make_error(Code::kShapeMismatch, "%s: input 'term_offsets' must have a multiple of %lld rows and one entry",
                      kName, static_cast<long long>(kBlockRows));
  }
  outputs.add(DType::kI64, {params.slices, rows / 64});
  return ok_status();
}

void SliceBuild::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.term_offsets = inputs[0].as<const int32_t>();
  args.terms = inputs[1].as<const int32_t>();
  args.slice_of_term = inputs[2].as<const int32_t>();
  args.slices = outputs[0].as<uint64_t>();
  args.rows = inputs[0].shape.dim(0) - 1;
  args.n_entries = inputs[1].shape.dim(0);
  args.n_terms = inputs[2].shape.dim(0);
  args.n_slices = params.slices;
}

}  // namespace silverlode
