#include "backends/cpu/probe_state.h"

#include <algorithm>

namespace silverlode::cpu {

namespace {

Status bad_entry(const char* op, const char* input, int64_t index, int64_t value) {
  return make_error(Code::kInvalidArgument, "%s: %s[%lld] = %lld is not valid", op, input,
                    static_cast<long long>(index), static_cast<long long>(value));
}

}  // namespace

Status check_probe(const char* op, const IvfProbe::Args& args) {
  const int64_t rows = args.words * 64;
  for (int64_t c = 0; c <= args.n_clusters; ++c) {
    const int64_t begin = args.cluster_begin[c];
    const int64_t least = c == 0 ? 0 : args.cluster_begin[c - 1];
    if (begin < least || begin > rows || begin % 64 != 0) return bad_entry(op, "cluster_begin", c, begin);
  }
  for (int64_t r = 0; r < args.batch; ++r) {
    const int64_t offset = args.exclude_offsets[r];
    const int64_t least = r == 0 ? 0 : args.exclude_offsets[r - 1];
    if (offset < least || offset > args.n_exclude || (r == 0 && offset != 0)) {
      return bad_entry(op, "exclude_offsets", r, offset);
    }
  }
  for (int64_t i = 0; i < args.n_exclude; ++i) {
    if (args.exclude_rows[i] >= rows) return bad_entry(op, "exclude_rows", i, args.exclude_rows[i]);
  }
  for (int64_t r = 0; r < args.batch; ++r) {
    const int64_t plan = args.plan_index[r];
    if (plan < -1 || plan >= args.plans.plans) return bad_entry(op, "plan_index", r, plan);
  }
  return check_filter_plans(args.plans, args.filter);
}

ProbeState::ProbeState(const Context& context, const IvfProbe::Args& args, Carve& carve) {
  const int64_t n_heads = args.batch * args.heads;
  const int64_t most_groups = std::min(args.batch, 2 * args.plans.plans);
  keys = carve.take<RankKey>(n_heads * args.n_clusters);
  scratch = carve.take<RankKey>(runtime(context).pool.threads() * args.n_clusters);
  heads = carve.take<ProbeHead>(n_heads);
  requests = carve.take<ProbeRequest>(args.batch);
  excluded = carve.take<int32_t>(args.n_exclude);
  links = carve.take<int32_t>(args.plans.total_steps);
  looked = carve.take<uint8_t>(args.batch * args.n_clusters);
  group_of_plan = carve.take<int32_t>(2 * args.plans.plans);
  groups = carve.take<ProbeGroup>(most_groups);
  round_of = carve.take<uint8_t>(most_groups * args.n_clusters);
  eligible = carve.take<int32_t>(most_groups * args.n_clusters);
  doubtful = carve.take<int32_t>(most_groups * args.n_clusters);
  filled = carve.take<int32_t>(most_groups * args.n_clusters);
}

}  // namespace silverlode::cpu
