#include "ops/ivf_probe.h"

#include "backends/cpu/probe.h"
#include "ops/check.h"

namespace silverlode::cpu {

namespace {

size_t workspace(const Context& context, const IvfProbe::Args& args) {
  Carve carve;
  ProbeState(context, args, carve);
  return carve.bytes();
}

Status run(Context& context, const IvfProbe::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check_probe(IvfProbe::kName, args));
  Carve carve(workspace.data);
  ProbeState state(context, args, carve);
  Probe probe(context, args, state);
  probe.begin();
  while (!probe.all_done()) {
    if (context.cancelled()) return make_error(Code::kAborted, "ivf_probe was cancelled");
    probe.next_round();
  }
  probe.finish();
  finish_masks(context, args, state);
  return ok_status();
}

}  // namespace

template <>
OpEntry<IvfProbe::Args> entry<IvfProbe>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
