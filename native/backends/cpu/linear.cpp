#include "ops/linear.h"

#include "backends/cpu/gemm.h"

namespace silverlode::cpu {

namespace {

size_t prepared_bytes(const Linear::Args& args) { return packed_bytes(args.out_dim, args.in_dim); }

Status prepare(Context& context, const Linear::Args& args, void* prepared) {
  pack_weights(context, args.weight, args.weight_dtype, args.out_dim, args.in_dim, args.in_dim,
               static_cast<float*>(prepared));
  return ok_status();
}

size_t workspace(const Context&, const Linear::Args& args) {
  return args.prepared == nullptr ? prepared_bytes(args) : 0;
}

Status run(Context& context, const Linear::Args& args, Workspace workspace) {
  if (args.prepared == nullptr) {
    if (Status status = prepare(context, args, workspace.data); !status.ok()) return status;
  }
  const void* packed = args.prepared == nullptr ? workspace.data : args.prepared;
  gemm(context, {args.x, args.in_dim, args.rows, static_cast<const float*>(packed), args.bias, args.in_dim,
                 args.out_dim, args.y, args.out_dim, args.activation});
  return ok_status();
}

}  // namespace

template <>
OpEntry<Linear::Args> entry<Linear>() {
  return {workspace, run, prepared_bytes, prepare};
}

}  // namespace silverlode::cpu
