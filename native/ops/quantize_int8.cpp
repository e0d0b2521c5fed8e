#include "ops/quantize_int8.h"

#include "ops/check.h"

namespace silverlode {

Status QuantizeInt8::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("pad_to", params.pad_to, int64_t{32}));
  if (params.pad_to >= 1 && params.pad_to <= 4096) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: pad_to must lie in [1, 4096], got %lld", kName,
                    static_cast<long long>(params.pad_to));
}

Status QuantizeInt8::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "values", inputs[0], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "values", inputs[0], 1));
  Shape quantized = inputs[0].shape;
  Shape scales = quantized;
  --scales.rank;
  const int64_t dim = quantized.dim(-1);
  if (dim < 0 && params.pad_to > 1) {
    return make_error(Code::kShapeMismatch, "%s: the last dimension of 'values' must be known to be padded, got %s",
                      kName, shape_text(quantized).c_str());
  }
  if (dim >= 0) quantized.dim(-1) = (dim + params.pad_to - 1) / params.pad_to * params.pad_to;
  outputs.add(DType::kI8, quantized);
  outputs.add(DType::kF32, scales);
  return ok_status();
}

void QuantizeInt8::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.values = inputs[0].as<const float>();
  args.quantized = outputs[0].as<int8_t>();
  args.scales = outputs[1].as<float>();
  args.rows = outputs[1].elements();
  args.dim = inputs[0].shape.dim(-1);
  args.padded_dim = outputs[0].shape.dim(-1);
}

}  // namespace silverlode
