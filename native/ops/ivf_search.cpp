#include "ops/ivf_search.h"

#include <array>

#include "ops/check.h"
#include "ops/recall_estimate.h"

namespace silverlode {

namespace {

enum : size_t {
  kQueries,
  kQueryScales,
  kQueryOffsets,
  kCentroids,
  kCentroidScales,
  kCentroidBias,
  kClusterBegin,
  kClusterStats,
  kTail,
  kRows,
  kRowScales,
  kRowBias,
  kOrdinals,
  kLive,
  kLimits,
  kProbes,
  kAllowedMisses,
  kMinCandidates,
  kExact,
  kPlanIndex,
  kPlanOffsets,
  kPlanSteps,
  kExcludeOffsets,
  kExcludeRows,
  kFilterIndex,
};
constexpr size_t kInputs = kFilterIndex + kFilterIndexInputs;

// What the two halves of a search take, in their own order; they check it and say what is wrong under their names.
std::array<TensorView, 15 + kFilterIndexInputs> probe_inputs(Inputs in) {
  std::array<TensorView, 15 + kFilterIndexInputs> probe = {
      in[kQueries],      in[kQueryScales], in[kCentroids], in[kCentroidScales], in[kCentroidBias],
      in[kClusterBegin], in[kLive],        in[kProbes],    in[kMinCandidates],  in[kExact],
      in[kPlanIndex],    in[kPlanOffsets], in[kPlanSteps], in[kExcludeOffsets], in[kExcludeRows],
  };
  for (size_t i = 0; i < kFilterIndexInputs; ++i) probe[15 + i] = in[kFilterIndex + i];
  return probe;
}

std::array<TensorView, 13> scan_inputs(Inputs in, Inputs probed) {
  return {in[kQueries], in[kQueryScales], in[kRows], in[kRowScales], in[kRowBias], in[kOrdinals], in[kClusterBegin],
          in[kLive],    probed[0],        probed[1], probed[2],      probed[3],    in[kLimits]};
}

// The outputs of the first half as the second one sees them.
std::array<TensorView, 5> probed_views(const OutputSpecs& specs) {
  std::array<TensorView, 5> views;
  for (size_t i = 0; i < views.size(); ++i) views[i] = TensorView{.dtype = specs.dtypes[i], .shape = specs.shapes[i]};
  return views;
}

OutputSpecs probed_specs(Inputs in) {
  const int64_t batch = in[kQueries].shape.dim(0);
  const int64_t heads = in[kQueries].shape.dim(1);
  OutputSpecs specs;
  specs.add(DType::kI32, {batch, heads, in[kCentroids].shape.dim(0)});
  specs.add(DType::kI32, {batch, heads});
  specs.add(DType::kI64, {batch, in[kLive].shape.dim(0)});
  specs.add(DType::kI32, {batch});
  specs.add(DType::kI64, {batch, 4});
  return specs;
}

}  // namespace

Status IvfSearch::parse(const Attributes& attributes, Params& params) {
  IvfProbe::Params probe;
  SILVERLODE_RETURN_IF_ERROR(IvfProbe::parse(attributes, probe));
  IvfScan::Params scan;
  SILVERLODE_RETURN_IF_ERROR(IvfScan::parse(attributes, scan));
  params = {.metric = probe.metric, .hashes = probe.hashes, .k = scan.k, .first_round = 1};
  SILVERLODE_RETURN_IF_ERROR(attributes.get("first_round", params.first_round));
  if (params.first_round < 1 || params.first_round > INT32_MAX) {
    return make_error(Code::kInvalidArgument, "%s: first_round must be a positive int32, got %lld", kName,
                      static_cast<long long>(params.first_round));
  }
  return ok_status();
}

Status IvfSearch::infer(const Params& params, const DimValues& dims, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, kInputs, kInputs));
  OutputSpecs probed;
  SILVERLODE_RETURN_IF_ERROR(IvfProbe::infer({params.metric, params.hashes}, dims, probe_inputs(inputs), probed));
  OutputSpecs found;
  SILVERLODE_RETURN_IF_ERROR(
      IvfScan::infer({params.metric, params.k}, dims, scan_inputs(inputs, probed_views(probed)), found));

  const int64_t batch = inputs[kQueries].shape.dim(0);
  const int64_t heads = inputs[kQueries].shape.dim(1);
  const int64_t clusters = inputs[kCentroids].shape.dim(0);
  if (!inputs[kQueryOffsets].absent()) {
    SILVERLODE_RETURN_IF_ERROR(
        check_tensor(kName, "query_offsets", inputs[kQueryOffsets], DType::kF32, {batch, heads}));
  }
  SILVERLODE_RETURN_IF_ERROR(
      check_tensor(kName, "cluster_stats", inputs[kClusterStats], DType::kF32, {kClusterStatRows, clusters}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "tail", inputs[kTail], DType::kI32, {kTailEntries}));
  SILVERLODE_RETURN_IF_ERROR(check_tensor(kName, "allowed_misses", inputs[kAllowedMisses], DType::kF32, {batch}));

  outputs.add(found.dtypes[0], found.shapes[0]);
  outputs.add(found.dtypes[1], found.shapes[1]);
  outputs.add(DType::kI32, {batch, heads});
  outputs.add(DType::kI64, {batch, 5});
  outputs.add(DType::kF32, {batch});
  return ok_status();
}

void IvfSearch::bind(const Params& params, const DimValues& dims, Inputs inputs, Outputs outputs, Args& args) {
  const std::array<TensorView, 5> probed = probed_views(probed_specs(inputs));
  IvfProbe::bind({params.metric, params.hashes}, dims, probe_inputs(inputs), probed, args.probe);
  const std::array<TensorView, 3> found = {outputs[0], outputs[1], TensorView{}};
  IvfScan::bind({params.metric, params.k}, dims, scan_inputs(inputs, probed), found, args.scan);
  args.query_offsets = inputs[kQueryOffsets].absent() ? nullptr : inputs[kQueryOffsets].as<const float>();
  args.cluster_stats = inputs[kClusterStats].as<const float>();
  args.tail = inputs[kTail].as<const int32_t>();
  args.allowed_misses = inputs[kAllowedMisses].as<const float>();
  args.out_counts = outputs[2].as<int32_t>();
  args.out_stats = outputs[3].as<int64_t>();
  args.out_misses = outputs[4].as<float>();
  args.first_round = params.first_round;
}

}  // namespace silverlode
