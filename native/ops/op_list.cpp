#include "ops/op_list.h"

#include "ops/reshape.h"

namespace silverlode {

namespace {

template <class Op>
class TypedOp final : public OpInstance {
 public:
  using Args = typename Op::Args;
  using Entry = OpEntry<Args> BackendTable::*;
  static constexpr bool kPrepares = requires(Args args) { args.prepared; };

  TypedOp(Entry entry, const typename Op::Params& params) : entry_(entry), params_(params) {}

  const char* name() const override { return Op::kName; }

  Status infer(const DimValues& dims, Inputs inputs, OutputSpecs& outputs) const override {
    return Op::infer(params_, dims, inputs, outputs);
  }

  size_t workspace(const BackendTable& table, const Context& context, const DimValues& dims, Inputs inputs,
                   Outputs outputs, bool prepared) const override {
    const OpEntry<Args>& entry = table.*entry_;
    // Sizes depend on whether there are prepared weights, never on what they hold.
    const void* weights = prepared ? this : nullptr;
    return entry.workspace == nullptr ? 0 : entry.workspace(context, args(dims, inputs, outputs, weights));
  }

  int32_t first_prepared_input() const override {
    if constexpr (requires { Op::kFirstLayerInput; }) return Op::kFirstLayerInput;
    return 1;  // input 0 is the activations
  }

  size_t prepared_bytes(const BackendTable& table, const DimValues& dims, Inputs inputs,
                        Outputs outputs) const override {
    const OpEntry<Args>& entry = table.*entry_;
    return entry.prepared_bytes == nullptr ? 0 : entry.prepared_bytes(args(dims, inputs, outputs, nullptr));
  }

  Status prepare(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs, Outputs outputs,
                 void* prepared) const override {
    return (table.*entry_).prepare(context, args(dims, inputs, outputs, nullptr), prepared);
  }

  Status run(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs, Outputs outputs,
             Workspace workspace, const void* prepared) const override {
    const OpEntry<Args>& entry = table.*entry_;
    if (entry.run == nullptr) {
      return make_error(Code::kDeviceUnavailable, "%s is not implemented on %s", Op::kName, table.name);
    }
    const Args bound = args(dims, inputs, outputs, prepared);
    if (entry.workspace != nullptr && entry.workspace(context, bound) > workspace.bytes) {
      return make_error(Code::kInternal, "%s: this run needs more workspace than was planned", Op::kName);
    }
    return entry.run(context, bound, workspace);
  }

 private:
  Args args(const DimValues& dims, Inputs inputs, Outputs outputs, const void* prepared) const {
    Args bound{};
    Op::bind(params_, dims, inputs, outputs, bound);
    if constexpr (kPrepares) bound.prepared = prepared;
    return bound;
  }

  Entry entry_;
  typename Op::Params params_;
};

class ReshapeOp final : public OpInstance {
 public:
  explicit ReshapeOp(const Reshape::Params& params) : params_(params) {}

  const char* name() const override { return Reshape::kName; }
  bool is_view() const override { return true; }
  Status infer(const DimValues& dims, Inputs inputs, OutputSpecs& outputs) const override {
    return Reshape::infer(params_, dims, inputs, outputs);
  }
  size_t workspace(const BackendTable&, const Context&, const DimValues&, Inputs, Outputs, bool) const override {
    return 0;
  }
  int32_t first_prepared_input() const override { return 1; }
  size_t prepared_bytes(const BackendTable&, const DimValues&, Inputs, Outputs) const override { return 0; }
  Status prepare(const BackendTable&, Context&, const DimValues&, Inputs, Outputs, void*) const override {
    return ok_status();
  }
  Status run(const BackendTable&, Context&, const DimValues&, Inputs, Outputs, Workspace, const void*) const override {
    return make_error(Code::kInternal, "reshape is a view and is never run");
  }

 private:
  Reshape::Params params_;
};

using Maker = Status (*)(const Attributes& attributes, std::unique_ptr<OpInstance>& op);

template <class Op, OpEntry<typename Op::Args> BackendTable::* kEntry>
Status make_typed(const Attributes& attributes, std::unique_ptr<OpInstance>& op) {
  typename Op::Params params{};
  if (Status status = Op::parse(attributes, params); !status.ok()) return status;
  op = std::make_unique<TypedOp<Op>>(kEntry, params);
  return ok_status();
}

Status make_reshape(const Attributes& attributes, std::unique_ptr<OpInstance>& op) {
  Reshape::Params params;
  if (Status status = Reshape::parse(attributes, params); !status.ok()) return status;
  op = std::make_unique<ReshapeOp>(params);
  return ok_status();
}

const std::map<std::string, Maker>& makers() {
  using T = BackendTable;
  static const std::map<std::string, Maker> all = {
      {AssignClusters::kName, make_typed<AssignClusters, &T::assign_clusters>},
      {BalanceClusters::kName, make_typed<BalanceClusters, &T::balance_clusters>},
      {BloomBuild::kName, make_typed<BloomBuild, &T::bloom_build>},
      {BloomLayout::kName, make_typed<BloomLayout, &T::bloom_layout>},
      {BloomProbe::kName, make_typed<BloomProbe, &T::bloom_probe>},
      {Concat::kName, make_typed<Concat, &T::concat>},
      {Elementwise::kName, make_typed<Elementwise, &T::elementwise>},
      {EmbeddingBag::kName, make_typed<EmbeddingBag, &T::embedding_bag>},
      {FilterCheck::kName, make_typed<FilterCheck, &T::filter_check>},
      {FilterEval::kName, make_typed<FilterEval, &T::filter_eval>},
      {GatherRows::kName, make_typed<GatherRows, &T::gather_rows>},
      {IvfProbe::kName, make_typed<IvfProbe, &T::ivf_probe>},
      {IvfScan::kName, make_typed<IvfScan, &T::ivf_scan>},
      {IvfSearch::kName, make_typed<IvfSearch, &T::ivf_search>},
      {KmeansSeed::kName, make_typed<KmeansSeed, &T::kmeans_seed>},
      {L2Normalize::kName, make_typed<L2Normalize, &T::l2_normalize>},
      {LayerNorm::kName, make_typed<LayerNorm, &T::layer_norm>},
      {Linear::kName, make_typed<Linear, &T::linear>},
      {MergeTopK::kName, make_typed<MergeTopK, &T::merge_top_k>},
      {MixtureOfLogits::kName, make_typed<MixtureOfLogits, &T::mixture_of_logits>},
      {OverArch::kName, make_typed<OverArch, &T::over_arch>},
      {QuantizeInt8::kName, make_typed<QuantizeInt8, &T::quantize_int8>},
      {Rescore::kName, make_typed<Rescore, &T::rescore>},
      {Reshape::kName, make_reshape},
      {Rotate::kName, make_typed<Rotate, &T::rotate>},
      {SliceBuild::kName, make_typed<SliceBuild, &T::slice_build>},
      {TopK::kName, make_typed<TopK, &T::top_k>},
      {UpdateCentroids::kName, make_typed<UpdateCentroids, &T::update_centroids>},
      {ValueModel::kName, make_typed<ValueModel, &T::value_model>},
  };
  return all;
}

}  // namespace

Status make_op(const std::string& name, const Attributes& attributes, std::unique_ptr<OpInstance>& op) {
  const auto found = makers().find(name);
  if (found == makers().end()) return make_error(Code::kInvalidArgument, "unknown op '%.64s'", name.c_str());
  return found->second(attributes, op);
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

}  // namespace silverlode
