#include "ops/candidates.h"

namespace silverlode {

Status check_candidates(const char* op, Inputs given, int64_t batch, int64_t& n_features) {
  const TensorView &index = given[2], &features = given[3], &feature_index = given[4];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "embedding_index", index, DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, "embedding_index", index, 2));
  SILVERLODE_RETURN_IF_ERROR(check_shape(op, "embedding_index", index, {batch, index.shape.dim(1)}));
  n_features = 0;
  if (features.absent() != feature_index.absent()) {
    return make_error(Code::kInvalidArgument, "%s: inputs 'features' and 'feature_index' must be given together", op);
  }
  if (features.absent()) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "features", features, DType::kF32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, "features", features, 2));
  n_features = features.shape.dim(1);
  return check_tensor(op, "feature_index", feature_index, DType::kI32, index.shape);
}

Status check_embeddings(const char* op, Inputs given, int64_t dim) {
  const TensorView &embeddings = given[0], &scales = given[1];
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, "embeddings", embeddings, 2));
  const int64_t rows = embeddings.shape.dim(0);
  switch (embeddings.dtype) {
    case DType::kI8:
      if (embeddings.shape.dim(1) < dim) {
        return make_error(Code::kShapeMismatch, "%s: rows of input 'embeddings' must have at least %lld values, got %s",
                          op, static_cast<long long>(dim), shape_text(embeddings.shape).c_str());
      }
      return check_tensor(op, "embedding_scales", scales, DType::kF32, {rows});
    case DType::kF16:
    case DType::kF32:
      if (!scales.absent()) {
        return make_error(Code::kInvalidArgument, "%s: input 'embedding_scales' goes with int8 embeddings only", op);
      }
      return check_shape(op, "embeddings", embeddings, {rows, dim});
    default:
      return make_error(Code::kUnsupportedDtype, "%s: input 'embeddings' must be int8, float16 or float32, got %s", op,
                        dtype_name(embeddings.dtype));
  }
}

void bind_candidates(Inputs given, int64_t dim, Candidates& candidates) {
  const TensorView &embeddings = given[0], &index = given[2], &features = given[3];
  candidates.embeddings = embeddings.data;
  candidates.embedding_scales = given[1].as<const float>();
  candidates.embedding_index = index.as<const int32_t>();
  candidates.features = features.as<const float>();
  candidates.feature_index = given[4].as<const int32_t>();
  candidates.batch = index.shape.dim(0);
  candidates.candidates = index.shape.dim(1);
  candidates.dim = dim;
  candidates.embedding_rows = embeddings.shape.dim(0);
  candidates.embedding_stride = embeddings.shape.dim(1);
  candidates.n_features = features.absent() ? 0 : features.shape.dim(1);
  candidates.feature_rows = features.absent() ? 0 : features.shape.dim(0);
  candidates.embedding_dtype = embeddings.dtype;
}

}  // namespace silverlode
