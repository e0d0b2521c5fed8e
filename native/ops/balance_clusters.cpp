#include "ops/balance_clusters.h"

#include "ops/kmeans_check.h"

namespace silverlode {

Status BalanceClusters::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(parse_clusters(kName, attributes, params.clusters));
  SILVERLODE_RETURN_IF_ERROR(attributes.get("cap", params.cap));
  if (params.cap >= 1) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: 'cap' must be positive, got %lld", kName,
                    static_cast<long long>(params.cap));
}

Status BalanceClusters::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 2, 2));
  const TensorView& nearest = inputs[0];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "nearest", nearest, DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "nearest", nearest, 2));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "scores", inputs[1], DType::kF32, nearest.shape));
  const int64_t n_rows = nearest.shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_ids_fit(kName, "nearest", n_rows));
  // Rounded up, as clusters * cap may overflow.
  if (n_rows > 0 && (n_rows - 1) / params.clusters + 1 > params.cap) {
    return make_error(Code::kInvalidArgument, "%s: %lld rows do not fit in %lld clusters of at most %lld", kName,
                      static_cast<long long>(n_rows), static_cast<long long>(params.clusters),
                      static_cast<long long>(params.cap));
  }
  outputs.add(DType::kI32, {n_rows});
  return ok_status();
}

void BalanceClusters::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.nearest = inputs[0].as<int32_t>();
  args.scores = inputs[1].as<float>();
  args.clusters = outputs[0].as<int32_t>();
  args.n_rows = inputs[0].shape.dim(0);
  args.choices = inputs[0].shape.dim(1);
  args.n_clusters = params.clusters;
  args.cap = params.cap;
}

}  // namespace silverlode
