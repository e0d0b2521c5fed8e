#include "ops/gather_rows.h"

#include "ops/check.h"

namespace silverlode {

Status GatherRows::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("batch_dims", params.batch_dims, int64_t{0}));
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("missing", params.missing, int64_t{0}));
  if (params.batch_dims != 0 && params.batch_dims != 1) {
    return make_error(Code::kInvalidArgument, "%s: batch_dims must be 0 or 1, got %lld", kName,
                      static_cast<long long>(params.batch_dims));
  }
  if (params.missing == static_cast<int32_t>(params.missing)) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: missing must be an int32, got %lld", kName,
                    static_cast<long long>(params.missing));
}

Status GatherRows::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 3));
  const TensorView& table = inputs[0];
  const TensorView& index = inputs[1];
  const auto batch_dims = static_cast<int32_t>(params.batch_dims);
  if (table.absent()) return make_error(Code::kInvalidArgument, "%s: input 'table' is missing", kName);
  SILVERLODE_RETURN_IF_ERROR(check_min_rank(kName, "table", table, batch_dims + 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "index", index, DType::kI32));
  if (params.missing != 0 && table.dtype != DType::kI32) {
    return make_error(Code::kUnsupportedDtype, "%s: missing needs an int32 'table', got %s", kName,
                      dtype_name(table.dtype));
  }
  if (batch_dims == 1) {
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "index", index, 2));
    if (table.shape.dim(0) != index.shape.dim(0)) {
      return make_error(Code::kShapeMismatch, "%s: 'table' %s and 'index' %s must have the same first dimension", kName,
                        shape_text(table.shape).c_str(), shape_text(index.shape).c_str());
    }
  }
  if (inputs.size() > 2 && !inputs[2].absent()) {
    if (batch_dims != 0) return make_error(Code::kInvalidArgument, "%s: a 'tail' needs batch_dims 0", kName);
    Shape expected = table.shape;
    expected.dims[0] = inputs[2].shape.rank > 0 ? inputs[2].shape.dims[0] : 0;
    SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "tail", inputs[2], table.dtype, expected));
  }
  const int32_t rest = table.shape.rank - batch_dims - 1;
  if (index.shape.rank + rest > Shape::kMaxRank) {
    return make_error(Code::kShapeMismatch, "%s: the result of 'table' %s and 'index' %s has more than %d dimensions",
                      kName, shape_text(table.shape).c_str(), shape_text(index.shape).c_str(), Shape::kMaxRank);
  }
  Shape rows = index.shape;
  for (int32_t axis = 0; axis < rest; ++axis) rows.push(table.shape.dims[batch_dims + 1 + axis]);
  outputs.add(table.dtype, rows);
  return ok_status();
}

void GatherRows::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  const Shape& table = inputs[0].shape;
  const auto batch_dims = static_cast<int32_t>(params.batch_dims);
  args.table = inputs[0].as<const uint8_t>();
  const bool has_tail = inputs.size() > 2 && !inputs[2].absent();
  args.tail = has_tail ? inputs[2].as<const uint8_t>() : nullptr;
  args.tail_rows = has_tail ? inputs[2].shape.dim(0) : 0;
  args.index = inputs[1].as<const int32_t>();
  args.rows = outputs[0].as<uint8_t>();
  args.batch = batch_dims == 1 ? table.dim(0) : 1;
  args.table_rows = table.dim(batch_dims);
  args.index_rows = batch_dims == 1 ? inputs[1].shape.dim(1) : inputs[1].elements();
  args.row_bytes = static_cast<int64_t>(dtype_size(inputs[0].dtype));
  for (int32_t axis = batch_dims + 1; axis < table.rank; ++axis) args.row_bytes *= table.dims[axis];
  args.missing = static_cast<int32_t>(params.missing);
}

}  // namespace silverlode
