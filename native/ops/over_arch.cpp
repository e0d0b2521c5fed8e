#include "ops/over_arch.h"

#include "ops/check_float.h"

namespace silverlode {

namespace {

constexpr const char* kName = OverArch::kName;

int32_t layer_count(Inputs inputs) {
  return static_cast<int32_t>((inputs.size() - OverArch::kFirstLayerInput + 1) / 2);
}

Status check_layers(Inputs inputs, int64_t in_dim, int64_t& tasks) {
  for (int32_t layer = 0; layer < layer_count(inputs); ++layer) {
    const size_t at = static_cast<size_t>(OverArch::kFirstLayerInput + 2 * layer);
    const std::string name = "layers." + std::to_string(layer);
    const std::string weight_name = name + ".weight", bias_name = name + ".bias";
    const TensorView& weight = inputs[at];
    SILVERLODE_RETURN_IF_ERROR(check_float_dtype(kName, weight_name.c_str(), weight));
    SILVERLODE_RETURN_IF_ERROR(check_rank(kName, weight_name.c_str(), weight, 2));
    tasks = weight.shape.dim(0);
    SILVERLODE_RETURN_IF_ERROR(check_shape(kName, weight_name.c_str(), weight, {tasks, in_dim}));
    SILVERLODE_RETURN_IF_ERROR(check_optional_vector(kName, bias_name.c_str(), optional_input(inputs, at + 1), tasks));
    in_dim = tasks;
  }
  return ok_status();
}

}  // namespace

Status OverArch::parse(const Attributes& attributes, Params& params) {
  std::string activation;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("activation", activation, std::string("relu")));
  return parse_activation(activation.c_str(), params.activation);
}

Status OverArch::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, kFirstLayerInput + 1, kFirstLayerInput + 2 * kMaxLayers));
  const TensorView& user = inputs[0];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "user", user, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "user", user, 3));
  const int64_t heads = user.shape.dim(1), dim = user.shape.dim(2);
  if (heads < 1 || dim < 1) {
    return make_error(Code::kShapeMismatch,
                      "%s: heads and dimension of input 'user' must be known and positive, got %s", kName,
                      shape_text(user.shape).c_str());
  }
  const Inputs candidates = inputs.subspan(1, kCandidateInputs);
  int64_t n_features = 0, tasks = 0;
  SILVERLODE_RETURN_IF_ERROR(check_embeddings(kName, candidates, dim));
  SILVERLODE_RETURN_IF_ERROR(check_candidates(kName, candidates, user.shape.dim(0), n_features));
  SILVERLODE_RETURN_IF_ERROR(check_layers(inputs, 2 * heads * dim + dim + n_features, tasks));
  outputs.add(DType::kF32, {user.shape.dim(0), inputs[3].shape.dim(1), tasks});
  return ok_status();
}

void OverArch::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  bind_candidates(inputs.subspan(1, kCandidateInputs), inputs[0].shape.dim(2), args);
  args.user = inputs[0].as<const float>();
  args.n_layers = layer_count(inputs);
  for (int32_t layer = 0; layer < args.n_layers; ++layer) {
    const size_t at = static_cast<size_t>(kFirstLayerInput + 2 * layer);
    const TensorView& weight = inputs[at];
    args.layers[layer] = {weight.data, optional_input(inputs, at + 1).as<const float>(), weight.dtype,
                          weight.shape.dim(1), weight.shape.dim(0)};
  }
  args.logits = outputs[0].as<float>();
  args.heads = inputs[0].shape.dim(1);
  args.activation = params.activation;
  args.prepared = nullptr;
}

}  // namespace silverlode
