#include "ops/ivf_scan.h"

#include "ops/check.h"

namespace silverlode {

namespace {
enum : size_t {
  kQueries,
  kQueryScales,
  kRows,
  kRowScales,
  kRowBias,
  kOrdinals,
  kClusterBegin,
  kLive,
  kClusters,
  kCounts,
  kMask,
  kMaskOf,
  kLimits,
  kInputs
};
constexpr int64_t kMaxDim = 65536;
}  // namespace

Status IvfScan::parse(const Attributes& attributes, Params& params) {
  std::string metric;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("metric", metric, std::string("ip")));
  SILVERLODE_RETURN_IF_ERROR(parse_metric(metric.c_str(), params.metric));
  return attributes.get("k", params.k);
}

Status IvfScan::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, kInputs, kInputs));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "queries", inputs[kQueries], DType::kI8));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "queries", inputs[kQueries], 3));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "rows", inputs[kRows], DType::kI8));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "rows", inputs[kRows], 2));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "clusters", inputs[kClusters], 3));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "cluster_begin", inputs[kClusterBegin], 1));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "live", inputs[kLive], 1));

  const int64_t batch = inputs[kQueries].shape.dim(0);
  const int64_t heads = inputs[kQueries].shape.dim(1);
  const int64_t dim = inputs[kQueries].shape.dim(2);
  const int64_t rows = inputs[kRows].shape.dim(0);
  const int64_t words = inputs[kLive].shape.dim(0);
  const int64_t clusters = inputs[kClusters].shape.dim(2);
  if (dim < 32 || dim > kMaxDim || dim % 32 != 0) {
    return make_error(Code::kShapeMismatch,
                      "%s: the last dimension of 'queries' must be a multiple of 32 up to %lld, got shape %s", kName,
                      static_cast<long long>(kMaxDim), shape_text(inputs[kQueries].shape).c_str());
  }
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "rows", inputs[kRows], DType::kI8, {rows, dim}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "query_scales", inputs[kQueryScales], DType::kF32, {batch, heads}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "row_scales", inputs[kRowScales], DType::kF32, {rows}));
  if (!inputs[kRowBias].absent()) {
    SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "row_bias", inputs[kRowBias], DType::kF32, {rows}));
  }
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "ordinals", inputs[kOrdinals], DType::kI32, {rows}));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "cluster_begin", inputs[kClusterBegin], DType::kI32));
  if (clusters >= 0) {
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "cluster_begin", inputs[kClusterBegin], {clusters + 1}));
  }
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "live", inputs[kLive], DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "clusters", inputs[kClusters], DType::kI32, {batch, heads, clusters}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "counts", inputs[kCounts], DType::kI32, {batch, heads}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "mask", inputs[kMask], DType::kI64, {batch, words}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "mask_of", inputs[kMaskOf], DType::kI32, {batch}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "limits", inputs[kLimits], DType::kI32, {batch}));

  const Shape best = {batch, heads, dims.resolve(params.k)};
  outputs.add(DType::kF32, best);
  outputs.add(DType::kI32, best);
  outputs.add(DType::kI64, {batch});
  return ok_status();
}

void IvfScan::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.queries = inputs[kQueries].as<const int8_t>();
  args.query_scales = inputs[kQueryScales].as<const float>();
  args.rows = inputs[kRows].as<const int8_t>();
  args.row_scales = inputs[kRowScales].as<const float>();
  args.row_bias = inputs[kRowBias].as<const float>();
  args.ordinals = inputs[kOrdinals].as<const int32_t>();
  args.cluster_begin = inputs[kClusterBegin].as<const int32_t>();
  args.live = inputs[kLive].as<const uint64_t>();
  args.clusters = inputs[kClusters].as<const int32_t>();
  args.counts = inputs[kCounts].as<const int32_t>();
  args.mask = inputs[kMask].as<const uint64_t>();
  args.mask_of = inputs[kMaskOf].as<const int32_t>();
  args.limits = inputs[kLimits].as<const int32_t>();
  args.out_scores = outputs[0].as<float>();
  args.out_ordinals = outputs[1].as<int32_t>();
  args.out_scanned = outputs[2].as<int64_t>();
  args.batch = inputs[kQueries].shape.dim(0);
  args.heads = inputs[kQueries].shape.dim(1);
  args.dim = inputs[kQueries].shape.dim(2);
  args.n_rows = inputs[kRows].shape.dim(0);
  args.n_clusters = inputs[kClusters].shape.dim(2);
  args.words = inputs[kLive].shape.dim(0);
  args.k = outputs[0].shape.dim(2);
  args.metric = params.metric;
}

}  // namespace silverlode
