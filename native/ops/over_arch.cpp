#include "ops/over_arch.h"

#include "ops/check_float.h"

namespace silverlode {

namespace {

constexpr const char* kName = OverArch::kName;

int32_t layer_count(Inputs inputs) {
  return static_cast<int32_t>((inputs.size() - OverArch::kFirstLayerInput + 1) / 2);
}

Status check_embeddings(const TensorView& embeddings, const TensorView& scales, int64_t dim) {
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "embeddings", embeddings, 2));
  const int64_t rows = embeddings.shape.dim(0);
  switch (embeddings.dtype) {
    case DType::kI8:
      if (embeddings.shape.dim(1) < dim) {
        return make_error(Code::kShapeMismatch, "%s: rows of input 'embeddings' must have at least %lld values, got %s",
                          kName, static_cast<long long>(dim), shape_text(embeddings.shape).c_str());
      }
      return check_tensor(kName, "embedding_scales", scales, DType::kF32, {rows});
    case DType::kF16:
    case DType::kF32:
      if (!scales.absent()) {
        return make_error(Code::kInvalidArgument, "%s: input 'embedding_scales' goes with int8 embeddings only", kName);
      }
      return check_shape(kName, "embeddings", embeddings, {rows, dim});
    default:
      return make_error(Code::kUnsupportedDtype, "%s: input 'embeddings' must be int8, float16 or float32, got %s",
                        kName, dtype_name(embeddings.dtype));
  }
}

// Checks the optional pair and gives the number of features.
Status check_features(const TensorView& features, const TensorView& index, const Shape& candidates, int64_t& count) {
  count = 0;
  if (features.absent() != index.absent()) {
    return make_error(Code::kInvalidArgument, "%s: inputs 'features' and 'feature_index' must be given together",
                      kName);
  }
  if (features.absent()) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "features", features, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "features", features, 2));
  count = features.shape.dim(1);
  return check_tensor(kName, "feature_index", index, DType::kI32, candidates);
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
  const TensorView& index = inputs[3];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "user", user, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "user", user, 3));
  const int64_t heads = user.shape.dim(1), dim = user.shape.dim(2);
  if (heads < 1 || dim < 1) {
    return make_error(Code::kShapeMismatch,
                      "%s: heads and dimension of input 'user' must be known and positive, got %s", kName,
                      shape_text(user.shape).c_str());
  }
  SILVERLODE_RETURN_IF_ERROR(check_embeddings(inputs[1], inputs[2], dim));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "embedding_index", index, DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "embedding_index", index, 2));
  SILVERLODE_RETURN_IF_ERROR(check_shape(kName, "embedding_index", index, {user.shape.dim(0), index.shape.dim(1)}));
  int64_t n_features = 0, tasks = 0;
  SILVERLODE_RETURN_IF_ERROR(check_features(inputs[4], inputs[5], index.shape, n_features));
  SILVERLODE_RETURN_IF_ERROR(check_layers(inputs, 2 * heads * dim + dim + n_features, tasks));
  outputs.add(DType::kF32, {index.shape.dim(0), index.shape.dim(1), tasks});
  return ok_status();
}

void OverArch::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.user = inputs[0].as<const float>();
  args.embeddings = inputs[1].data;
  args.embedding_scales = inputs[2].as<const float>();
  args.embedding_index = inputs[3].as<const int32_t>();
  args.features = inputs[4].as<const float>();
  args.feature_index = inputs[5].as<const int32_t>();
  args.n_layers = layer_count(inputs);
  for (int32_t layer = 0; layer < args.n_layers; ++layer) {
    const size_t at = static_cast<size_t>(kFirstLayerInput + 2 * layer);
    const TensorView& weight = inputs[at];
    args.layers[layer] = {weight.data, optional_input(inputs, at + 1).as<const float>(), weight.dtype,
                          weight.shape.dim(1), weight.shape.dim(0)};
  }
  args.logits = outputs[0].as<float>();
  args.batch = inputs[0].shape.dim(0);
  args.heads = inputs[0].shape.dim(1);
  args.dim = inputs[0].shape.dim(2);
  args.embedding_rows = inputs[1].shape.dim(0);
  args.embedding_stride = inputs[1].shape.dim(1);
  args.n_features = inputs[4].absent() ? 0 : inputs[4].shape.dim(1);
  args.feature_rows = inputs[4].absent() ? 0 : inputs[4].shape.dim(0);
  args.candidates = inputs[3].shape.dim(1);
  args.embedding_dtype = inputs[1].dtype;
  args.activation = params.activation;
  args.prepared = nullptr;
}

}  // namespace silverlode
