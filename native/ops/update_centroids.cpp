#include "ops/update_centroids.h"

#include "ops/kmeans_check.h"

namespace silverlode {

Status UpdateCentroids::parse(const Attributes& attributes, Params& params) {
  return parse_clusters(kName, attributes, params.clusters);
}

Status UpdateCentroids::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 2));
  const TensorView& rows = inputs[0];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "rows", rows, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "rows", rows, 2));
  SILVERLODE_RETURN_IF_ERROR(check_ids_fit(kName, "rows", rows.shape.dim(0)));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "clusters", inputs[1], DType::kI32, {rows.shape.dim(0)}));
  if (rows.shape.dim(0) == 0) return make_error(Code::kInvalidArgument, "%s: there are no rows", kName);
  outputs.add(DType::kF32, {params.clusters, rows.shape.dim(1)});
  outputs.add(DType::kI32, {params.clusters});
  return ok_status();
}

void UpdateCentroids::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.rows = inputs[0].as<float>();
  args.clusters = inputs[1].as<int32_t>();
  args.centroids = outputs[0].as<float>();
  args.sizes = outputs[1].as<int32_t>();
  args.n_rows = inputs[0].shape.dim(0);
  args.dim = inputs[0].shape.dim(1);
  args.n_clusters = params.clusters;
}

}  // namespace silverlode
