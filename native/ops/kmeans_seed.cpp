#include "ops/kmeans_seed.h"

#include "ops/kmeans_check.h"

namespace silverlode {

Status KmeansSeed::parse(const Attributes& attributes, Params& params) {
  SILVERLODE_RETURN_IF_ERROR(parse_clusters(kName, attributes, params.clusters));
  return attributes.get_or<int64_t>("seed", params.seed, 0);
}

Status KmeansSeed::infer(const Params& params, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 1, 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "rows", inputs[0], DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "rows", inputs[0], 2));
  const int64_t n_rows = inputs[0].shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_ids_fit(kName, "rows", n_rows));
  if (n_rows >= 0 && params.clusters > n_rows) {
    return make_error(Code::kInvalidArgument, "%s: %lld clusters need as many rows, got %lld", kName,
                      static_cast<long long>(params.clusters), static_cast<long long>(n_rows));
  }
  outputs.add(DType::kI32, {params.clusters});
  return ok_status();
}

void KmeansSeed::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.rows = inputs[0].as<float>();
  args.chosen = outputs[0].as<int32_t>();
  args.n_rows = inputs[0].shape.dim(0);
  args.dim = inputs[0].shape.dim(1);
  args.n_clusters = params.clusters;
  args.seed = static_cast<uint64_t>(params.seed);
}

}  // namespace silverlode
