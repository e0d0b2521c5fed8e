#include "ops/reshape.h"

#include "ops/check.h"

namespace silverlode {

Status Reshape::parse(const Attributes& attributes, Params& params) {
  std::vector<int64_t> dims;
  if (Status status = attributes.get("shape", dims); !status.ok()) return status;
  if (dims.size() > static_cast<size_t>(Shape::kMaxRank)) {
    return make_error(Code::kInvalidArgument, "reshape: rank %zu exceeds %d", dims.size(), Shape::kMaxRank);
  }
  for (int64_t dim : dims) params.shape.push(dim);
  return ok_status();
}

Status Reshape::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  if (Status status = check_input_count(kName, inputs, 1, 1); !status.ok()) return status;
  Shape shape = params.shape;
  for (int32_t axis = 0; axis < shape.rank; ++axis) shape.dims[axis] = dims.resolve(shape.dims[axis]);
  // Symbolic products cannot be compared; the check runs again when a program is planned.
  const int64_t before = inputs[0].elements();
  const int64_t after = shape.elements();
  if (before >= 0 && after >= 0 && before != after) {
    return make_error(Code::kShapeMismatch, "reshape: %s has %lld elements, %s has %lld",
                      shape_text(inputs[0].shape).c_str(), static_cast<long long>(before), shape_text(shape).c_str(),
                      static_cast<long long>(after));
  }
  outputs.add(inputs[0].dtype, shape);
  return ok_status();
}

}  // namespace silverlode
