#include "ops/mixture_of_logits.h"

#include <cmath>

#include "ops/check_float.h"

namespace silverlode {

namespace {

constexpr const char* kName = MixtureOfLogits::kName;
constexpr size_t kCandidates = 2;
constexpr size_t kItemWeight = 7;
constexpr size_t kItemGateWeight = 9;
constexpr size_t kCrossGateWeight = 11;

// Rank 3 with known, positive dimensions after the batch.
Status check_user_input(const char* name, const TensorView& view) {
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, name, view, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, name, view, 3));
  if (view.shape.dim(1) >= 1 && view.shape.dim(2) >= 1) return ok_status();
  return make_error(Code::kShapeMismatch,
                    "%s: dimensions of input '%s' after the first must be known and positive, got %s", kName, name,
                    shape_text(view.shape).c_str());
}

Status check_weight(const char* name, const TensorView& weight, const Shape& expected) {
  SILVERLODE_RETURN_IF_ERROR(check_float_dtype(kName, name, weight));
  return check_shape(kName, name, weight, expected);
}

// Gives the dimension D of item embeddings.
Status check_item(Inputs inputs, int64_t component_dim, int64_t n_features, int64_t& dim) {
  const TensorView& weight = inputs[kItemWeight];
  SILVERLODE_RETURN_IF_ERROR(check_float_dtype(kName, "item.weight", weight));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "item.weight", weight, 2));
  const int64_t outputs = weight.shape.dim(0);
  dim = weight.shape.dim(1) - n_features;
  if (outputs < 1 || outputs % component_dim != 0 || dim < 1) {
    return make_error(Code::kShapeMismatch,
                      "%s: input 'item.weight' must be [n * %lld, D + %lld] for components of %lld dimensions and %lld "
                      "features, got %s",
                      kName, static_cast<long long>(component_dim), static_cast<long long>(n_features),
                      static_cast<long long>(component_dim), static_cast<long long>(n_features),
                      shape_text(weight.shape).c_str());
  }
  return check_optional_vector(kName, "item.bias", optional_input(inputs, kItemWeight + 1), outputs);
}

Status check_gates(Inputs inputs, int64_t in_dim, int64_t pairs) {
  const TensorView& user_gates = inputs[1];
  const int64_t gates = user_gates.shape.dim(1) * pairs;
  SILVERLODE_RETURN_IF_ERROR(
      check_shape(kName, "user_gates", user_gates, {user_gates.shape.dim(0), user_gates.shape.dim(1), pairs}));
  SILVERLODE_RETURN_IF_ERROR(check_weight("itemGate.weight", inputs[kItemGateWeight], {gates, in_dim}));
  SILVERLODE_RETURN_IF_ERROR(
      check_optional_vector(kName, "itemGate.bias", optional_input(inputs, kItemGateWeight + 1), gates));
  const TensorView cross_gate = optional_input(inputs, kCrossGateWeight);
  return cross_gate.absent() ? ok_status() : check_weight("crossGate.weight", cross_gate, {gates, pairs});
}

MixtureOfLogits::Weight weight_at(Inputs inputs, size_t at) {
  const TensorView weight = optional_input(inputs, at);
  return {weight.data, optional_input(inputs, at + 1).as<const float>(), weight.dtype};
}

}  // namespace

Status MixtureOfLogits::parse(const Attributes& attributes, Params& params) {
  double temperature = 1;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("temperature", temperature, 1.0));
  params.temperature = static_cast<float>(temperature);
  if (params.temperature > 0 && std::isfinite(params.temperature)) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: temperature must be positive and finite, got %g", kName, temperature);
}

Status MixtureOfLogits::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, kItemGateWeight + 1, kCrossGateWeight + 1));
  const TensorView &user = inputs[0], &user_gates = inputs[1];
  SILVERLODE_RETURN_IF_ERROR(check_user_input("user", user));
  SILVERLODE_RETURN_IF_ERROR(check_user_input("user_gates", user_gates));
  const int64_t batch = user.shape.dim(0), component_dim = user.shape.dim(2);
  SILVERLODE_RETURN_IF_ERROR(
      check_shape(kName, "user_gates", user_gates, {batch, user_gates.shape.dim(1), user_gates.shape.dim(2)}));
  const Inputs candidates = inputs.subspan(kCandidates, kCandidateInputs);
  int64_t n_features = 0, dim = 0;
  SILVERLODE_RETURN_IF_ERROR(check_candidates(kName, candidates, batch, n_features));
  SILVERLODE_RETURN_IF_ERROR(check_item(inputs, component_dim, n_features, dim));
  SILVERLODE_RETURN_IF_ERROR(check_embeddings(kName, candidates, dim));
  const int64_t item_components = inputs[kItemWeight].shape.dim(0) / component_dim;
  SILVERLODE_RETURN_IF_ERROR(check_gates(inputs, dim + n_features, user.shape.dim(1) * item_components));
  outputs.add(DType::kF32, {batch, candidates[2].shape.dim(1), user_gates.shape.dim(1)});
  return ok_status();
}

void MixtureOfLogits::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  const Inputs candidates = inputs.subspan(kCandidates, kCandidateInputs);
  const Shape& item = inputs[kItemWeight].shape;
  const int64_t n_features = candidates[3].absent() ? 0 : candidates[3].shape.dim(1);
  bind_candidates(candidates, item.dim(1) - n_features, args);
  args.user = inputs[0].as<const float>();
  args.user_gates = inputs[1].as<const float>();
  args.item = weight_at(inputs, kItemWeight);
  args.item_gate = weight_at(inputs, kItemGateWeight);
  args.cross_gate = weight_at(inputs, kCrossGateWeight);
  args.logits = outputs[0].as<float>();
  args.user_components = inputs[0].shape.dim(1);
  args.component_dim = inputs[0].shape.dim(2);
  args.item_components = item.dim(0) / args.component_dim;
  args.tasks = inputs[1].shape.dim(1);
  args.temperature = params.temperature;
  args.prepared = nullptr;
}

}  // namespace silverlode
