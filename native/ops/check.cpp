#include "ops/check.h"

namespace silverlode {

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (int32_t axis = 0; axis < shape.rank; ++axis) {
    const int64_t dim = shape.dims[axis];
    if (axis > 0) text += ", ";
    if (dim < 0) text += 's';
    text += std::to_string(dim < 0 ? -dim : dim);
  }
  text += ']';
  return text;
}

Status check_input_count(const char* op, Inputs inputs, size_t min, size_t max) {
  if (inputs.size() >= min && inputs.size() <= max) return ok_status();
  if (min == max) {
    return make_error(Code::kInvalidArgument, "%s: expected %zu inputs, got %zu", op, min, inputs.size());
  }
  return make_error(Code::kInvalidArgument, "%s: expected %zu to %zu inputs, got %zu", op, min, max, inputs.size());
}

Status check_dtype(const char* op, const char* input, const TensorView& view, DType expected) {
  if (view.dtype == expected) return ok_status();
  if (view.absent()) return make_error(Code::kInvalidArgument, "%s: input '%s' is missing", op, input);
  return make_error(Code::kUnsupportedDtype, "%s: input '%s' must be %s, got %s", op, input, dtype_name(expected),
                    dtype_name(view.dtype));
}

Status check_rank(const char* op, const char* input, const TensorView& view, int32_t rank) {
  if (view.shape.rank == rank) return ok_status();
  return make_error(Code::kShapeMismatch, "%s: input '%s' must have %d dimensions, got shape %s", op, input, rank,
                    shape_text(view.shape).c_str());
}

Status check_min_rank(const char* op, const char* input, const TensorView& view, int32_t rank) {
  if (view.shape.rank >= rank) return ok_status();
  return make_error(Code::kShapeMismatch, "%s: input '%s' must have at least %d dimensions, got shape %s", op, input,
                    rank, shape_text(view.shape).c_str());
}

Status check_shape(const char* op, const char* input, const TensorView& view, const Shape& expected) {
  if (view.shape == expected) return ok_status();
  return make_error(Code::kShapeMismatch, "%s: input '%s' must have shape %s, got %s", op, input,
                    shape_text(expected).c_str(), shape_text(view.shape).c_str());
}

Status check_tensor(const char* op, const char* input, const TensorView& view, DType dtype, const Shape& expected) {
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, input, view, dtype));
  return check_shape(op, input, view, expected);
}

}  // namespace silverlode
