#include "ops/op_list.h"

#include "ops/backend_table.h"

namespace silverlode {

namespace {

template <class Op>
class TypedOp final : public OpInstance {
 public:
  using Args = typename Op::Args;
  static constexpr bool kPrepares = requires(Args args) { args.prepared; };

  explicit TypedOp(const typename Op::Params& params) : params_(params) {}

  const char* name() const override { return Op::kName; }

  Status infer(const DimValues& dims, Inputs inputs, OutputSpecs& outputs) const override {
    return Op::infer(params_, dims, inputs, outputs);
  }

  size_t workspace(const BackendTable& table, const Context& context, const DimValues& dims, Inputs inputs,
                   Outputs outputs, bool prepared) const override {
    const OpEntry<Args>& entry = table.entry<Op>();
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
    const OpEntry<Args>& entry = table.entry<Op>();
    return entry.prepared_bytes == nullptr ? 0 : entry.prepared_bytes(args(dims, inputs, outputs, nullptr));
  }

  Status prepare(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs, Outputs outputs,
                 void* prepared) const override {
    return table.entry<Op>().prepare(context, args(dims, inputs, outputs, nullptr), prepared);
  }

  Status run(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs, Outputs outputs,
             Workspace workspace, const void* prepared) const override {
    const OpEntry<Args>& entry = table.entry<Op>();
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

  typename Op::Params params_;
};

template <class Op>
class ViewOp final : public OpInstance {
 public:
  explicit ViewOp(const typename Op::Params& params) : params_(params) {}

  const char* name() const override { return Op::kName; }
  bool is_view() const override { return true; }
  Status infer(const DimValues& dims, Inputs inputs, OutputSpecs& outputs) const override {
    return Op::infer(params_, dims, inputs, outputs);
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
    return make_error(Code::kInternal, "%s is a view and is never run", Op::kName);
  }

 private:
  typename Op::Params params_;
};

using Maker = Status (*)(const Attributes& attributes, std::unique_ptr<OpInstance>& op);

template <class Op, template <class> class Instance>
Status make(const Attributes& attributes, std::unique_ptr<OpInstance>& op) {
  typename Op::Params params{};
  if (Status status = Op::parse(attributes, params); !status.ok()) return status;
  op = std::make_unique<Instance<Op>>(params);
  return ok_status();
}

using Makers = std::map<std::string, Maker>;

template <class... Ops, class... Views>
Makers makers_of(OpList<Ops...>, OpList<Views...>) {
  return {{Ops::kName, make<Ops, TypedOp>}..., {Views::kName, make<Views, ViewOp>}...};
}

const Makers& makers() {
  static const Makers all = makers_of(DeviceOps(), ViewOps());
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
