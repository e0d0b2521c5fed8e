#include "ops/assign_clusters.h"

#include "ops/kmeans_check.h"

namespace silverlode {

Status AssignClusters::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or<int64_t>("nearest", params.nearest, 1));
  if (params.nearest >= 1 && params.nearest <= kMaxNearest) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: 'nearest' must lie in [1, %lld], got %lld", kName,
                    static_cast<long long>(kMaxNearest), static_cast<long long>(params.nearest));
}

Status AssignClusters::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 2));
  const TensorView& rows = inputs[0];
  const TensorView& centroids = inputs[1];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "rows", rows, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "rows", rows, 2));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "centroids", centroids, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "centroids", centroids, 2));
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "centroids", centroids, {centroids.shape.dim(0), rows.shape.dim(1)}));
  SILVERLODE_RETURN_IF_ERROR(check_ids_fit(kName, "centroids", centroids.shape.dim(0)));

  const Shape shape = {rows.shape.dim(0), params.nearest};
  outputs.add(DType::kI32, shape);
  outputs.add(DType::kF32, shape);
  return ok_status();
}

void AssignClusters::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.rows = inputs[0].as<float>();
  args.centroids = inputs[1].as<float>();
  args.clusters = outputs[0].as<int32_t>();
  args.scores = outputs[1].as<float>();
  args.n_rows = inputs[0].shape.dim(0);
  args.n_clusters = inputs[1].shape.dim(0);
  args.dim = inputs[0].shape.dim(1);
  args.nearest = params.nearest;
}

}  // namespace silverlode
