#include "ops/concat.h"

#include "ops/check.h"

namespace silverlode {

Status Concat::parse(const Attributes&, Params&) { return ok_status(); }

Status Concat::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, kMaxInputs));
  const DType dtype = inputs[0].dtype;
  Shape y = inputs[0].shape;
  int64_t width = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = "x_" + std::to_string(i);
    const TensorView& x = inputs[i];
    if (x.absent()) return make_error(Code::kInvalidArgument, "%s: input '%s' is missing", kName, name.c_str());
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, name.c_str(), x, dtype));
    SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, name.c_str(), x, 1));
    Shape expected = y;
    if (expected.rank == x.shape.rank) expected.dim(-1) = x.shape.dim(-1);
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, name.c_str(), x, expected));
    if (x.shape.dim(-1) < 0) {
      return make_error(Code::kShapeMismatch, "%s: the last dimension of '%s' must be known, got %s", kName,
                        name.c_str(), shape_text(x.shape).c_str());
    }
    width += x.shape.dim(-1);
  }
  y.dim(-1) = width;
  outputs.add(dtype, y);
  return ok_status();
}

void Concat::bind(const Params&, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  const int64_t element_bytes = static_cast<int64_t>(dtype_size(inputs[0].dtype));
  args.n_inputs = static_cast<int32_t>(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    args.x[i] = inputs[i].as<const uint8_t>();
    args.row_bytes[i] = inputs[i].shape.dim(-1) * element_bytes;
  }
  args.y = outputs[0].as<uint8_t>();
  args.rows = inputs[0].shape.outer(-1);
}

}  // namespace silverlode
