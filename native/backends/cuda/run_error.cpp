#include "backends/cuda/run_error.h"

namespace silverlode::cuda {

Status status_of(const RunError& error) {
  const long long value = error.value;
  const long long limit = error.limit;
  const char* op = error.op;
  constexpr Code kCode = Code::kInvalidArgument;
  switch (static_cast<Fault>(error.fault)) {
    case Fault::kNone: return ok_status();
    case Fault::kIndex: return make_error(kCode, "%s: index %lld is not in [0, %lld)", op, value, limit);
    case Fault::kOffsets:
      return make_error(kCode, "%s: offsets must ascend from 0 to at most %lld, entry %lld does not", op, limit, value);
    case Fault::kCluster: return make_error(kCode, "%s: cluster %lld is not in [0, %lld)", op, value, limit);
    case Fault::kClusterBounds:
      return make_error(kCode, "%s: cluster_begin must ascend in multiples of 64 up to %lld, entry %lld does not", op,
                        limit, value);
    case Fault::kCount: return make_error(kCode, "%s: count %lld is not in [0, %lld]", op, value, limit);
    case Fault::kPlan: return make_error(kCode, "%s: plan %lld is not in [-1, %lld)", op, value, limit);
    case Fault::kPlanStep: return make_error(kCode, "%s: filter step %lld is not valid", op, value);
    case Fault::kRow: return make_error(kCode, "%s: row %lld is not below %lld", op, value, limit);
    case Fault::kCandidate: return make_error(kCode, "%s: row %lld is not in [-1, %lld)", op, value, limit);
    case Fault::kTerm: return make_error(kCode, "%s: term %lld is not in [0, %lld)", op, value, limit);
    case Fault::kNotFinite: return make_error(kCode, "%s: element %lld is not finite", op, value);
    case Fault::kTail: return make_error(kCode, "%s: tail share %lld is not in [0, %lld]", op, value, limit);
    case Fault::kFormulaStep: return make_error(kCode, "%s: step %lld of the formula is not valid", op, value);
  }
  return make_error(Code::kInternal, "%s: unknown fault %d", op, error.fault);
}

}  // namespace silverlode::cuda
