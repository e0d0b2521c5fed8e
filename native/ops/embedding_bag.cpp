#include "ops/embedding_bag.h"

#include "ops/check_float.h"

namespace silverlode {

Status EmbeddingBag::parse(const Attributes& attributes, Params& params) {
  std::string mode;
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("mode", mode, std::string("sum")));
  if (mode != "sum" && mode != "mean") {
    return make_error(Code::kInvalidArgument, "%s: unknown mode '%.64s': expected sum or mean", kName, mode.c_str());
  }
  params.mode = mode == "sum" ? Mode::kSum : Mode::kMean;
  return ok_status();
}

Status EmbeddingBag::infer(const Params&, const DimValues&, Inputs inputs, OutputSpecs& outputs) {
  SILVERLODE_RETURN_IF_ERROR(check_input_count(kName, inputs, 3, 4));
  SILVERLODE_RETURN_IF_ERROR(check_float_dtype(kName, "table", inputs[0]));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "table", inputs[0], 2));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "ids", inputs[1], DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "ids", inputs[1], 1));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(kName, "offsets", inputs[2], DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(kName, "offsets", inputs[2], 1));
  SILVERLODE_RETURN_IF_ERROR(
      check_optional_vector(kName, "weights", optional_input(inputs, 3), inputs[1].shape.dim(0)));
  outputs.add(DType::kF32, {inputs[2].shape.dim(0), inputs[0].shape.dim(1)});
  return ok_status();
}

void EmbeddingBag::bind(const Params& params, const DimValues&, Inputs inputs, Outputs outputs, Args& args) {
  args.table = inputs[0].data;
  args.ids = inputs[1].as<const int32_t>();
  args.offsets = inputs[2].as<const int32_t>();
  args.weights = optional_input(inputs, 3).as<const float>();
  args.y = outputs[0].as<float>();
  args.vocabulary = inputs[0].shape.dim(0);
  args.dim = inputs[0].shape.dim(1);
  args.bags = inputs[2].shape.dim(0);
  args.n_ids = inputs[1].shape.dim(0);
  args.table_dtype = inputs[0].dtype;
  args.mode = params.mode;
}

}  // namespace silverlode
