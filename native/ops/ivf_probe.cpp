#include "ops/ivf_probe.h"

#include <iterator>

#include "ops/check.h"

namespace silverlode {

namespace {

constexpr size_t kFirstIndexInput = 15;

struct Field {
  const char* name;
  DType dtype;
  int32_t rank;
};

constexpr Field kFields[] = {
    {"queries", DType::kI8, 3},         {"query_scales", DType::kF32, 2},
    {"centroids", DType::kI8, 2},       {"centroid_scales", DType::kF32, 1},
    {"centroid_bias", DType::kF32, 1},  {"cluster_begin", DType::kI32, 1},
    {"live", DType::kI64, 1},           {"probes", DType::kI32, 1},
    {"min_candidates", DType::kI32, 1}, {"exact", DType::kI32, 1},
    {"plan_index", DType::kI32, 1},     {"plan_offsets", DType::kI32, 1},
    {"plan_steps", DType::kI64, 2},     {"exclude_offsets", DType::kI32, 1},
    {"exclude_rows", DType::kI32, 1},
};
static_assert(std::size(kFields) == kFirstIndexInput);

constexpr size_t kBiasInput = 4;

}  // namespace

Status IvfProbe::parse(const Attributes& attributes, Params& params) {
  std::string metric;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("metric", metric, std::string("ip")));
  SILVERLODE_RETURN_IF_ERROR(parse_metric(metric.c_str(), params.metric));
  return parse_hashes(attributes, params.hashes);
}

Status IvfProbe::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  constexpr size_t count = kFirstIndexInput + kFilterIndexInputs;
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, count, count));
  for (size_t i = 0; i < kFirstIndexInput; ++i) {
    if (i == kBiasInput && inputs[i].absent()) continue;
    SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, kFields[i].name, inputs[i], kFields[i].dtype));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, kFields[i].name, inputs[i], kFields[i].rank));
  }
  const auto shape_is = [&](size_t input, const Shape& expected) {
    return check_shape(kName, kFields[input].name, inputs[input], expected);
  };

  const int64_t batch = inputs[0].shape.dim(0);
  const int64_t heads = inputs[0].shape.dim(1);
  const int64_t clusters = inputs[2].shape.dim(0);
  const int64_t dim = inputs[2].shape.dim(1);
  if (clusters < 1 || clusters >= INT32_MAX || dim < 32 || dim % 32 != 0 || dim > 65536) {
    return make_error(Code::kShapeMismatch, "%s: input 'centroids' must be [1 or more, a multiple of 32], got %s",
                      kName, shape_text(inputs[2].shape).c_str());
  }
  SILVERLODE_RETURN_IF_ERROR(shape_is(0, {batch, heads, dim}));
  SILVERLODE_RETURN_IF_ERROR(shape_is(1, {batch, heads}));
  SILVERLODE_RETURN_IF_ERROR(shape_is(3, {clusters}));
  if (!inputs[kBiasInput].absent()) SILVERLODE_RETURN_IF_ERROR(shape_is(kBiasInput, {clusters}));
  SILVERLODE_RETURN_IF_ERROR(shape_is(5, {clusters + 1}));
  for (size_t i = 7; i <= 10; ++i) SILVERLODE_RETURN_IF_ERROR(shape_is(i, {batch}));
  SILVERLODE_RETURN_IF_ERROR(check_plan_inputs(kName, inputs, 11));
  SILVERLODE_RETURN_IF_ERROR(shape_is(13, {batch}));
  const int64_t words = inputs[6].shape.dim(0);
  SILVERLODE_RETURN_IF_ERROR(check_filter_index(kName, inputs, kFirstIndexInput, words));

  outputs.add(DType::kI32, {batch, heads, clusters});
  outputs.add(DType::kI32, {batch, heads});
  outputs.add(DType::kI64, {batch, words});
  outputs.add(DType::kI32, {batch});
  outputs.add(DType::kI64, {batch, 4});
  return ok_status();
}

void IvfProbe::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.queries = inputs[0].as<const int8_t>();
  args.query_scales = inputs[1].as<const float>();
  args.centroids = inputs[2].as<const int8_t>();
  args.centroid_scales = inputs[3].as<const float>();
  args.centroid_bias = inputs[kBiasInput].absent() ? nullptr : inputs[kBiasInput].as<const float>();
  args.cluster_begin = inputs[5].as<const int32_t>();
  args.live = inputs[6].as<const uint64_t>();
  args.probes = inputs[7].as<const int32_t>();
  args.min_candidates = inputs[8].as<const int32_t>();
  args.exact = inputs[9].as<const int32_t>();
  args.plan_index = inputs[10].as<const int32_t>();
  args.plans = bind_plans(inputs, 11);
  args.exclude_offsets = inputs[13].as<const int32_t>();
  args.exclude_rows = inputs[14].as<const int32_t>();
  args.n_exclude = inputs[14].shape.dim(0);
  args.words = inputs[6].shape.dim(0);
  args.filter = bind_filter_index(inputs, kFirstIndexInput, args.words, params.hashes);
  args.clusters = outputs[0].as<int32_t>();
  args.counts = outputs[1].as<int32_t>();
  args.mask = outputs[2].as<uint64_t>();
  args.mask_of = outputs[3].as<int32_t>();
  args.stats = outputs[4].as<int64_t>();
  args.batch = inputs[0].shape.dim(0);
  args.heads = inputs[0].shape.dim(1);
  args.dim = inputs[0].shape.dim(2);
  args.n_clusters = inputs[2].shape.dim(0);
  args.metric = params.metric;
}

}  // namespace silverlode
