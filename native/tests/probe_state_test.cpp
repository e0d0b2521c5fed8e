#include "backends/cpu/probe_state.h"

#include "tests/ivf_probe_fixture.h"

namespace silverlode::cpu {
namespace {

using namespace filter_test;

// `probes` 0 wants every cluster, but a request of a search that stops by the estimate does not read it.
TEST(ProbeState, OnlyRequestsThatReadProbesWantEveryCluster) {
  Random random(1);
  Problem problem = random_problem(random, 2, 2);
  problem.probes = {0, 0};
  problem.exact = {1, 1};
  problem.plan_index = {0, 0};
  Call call(problem);
  const IvfProbe::Args args = call.args();
  ThreadPool pool(1);
  Runtime runtime{pool, simd_table(best_simd_level())};
  Context context;
  context.backend = &runtime;
  Carve size;
  ProbeState(context, args, size);
  const AlignedMemory memory = allocate_aligned(size.bytes());
  Carve carve(memory.get());
  ProbeState state(context, args, carve);

  const auto wants_everything = [&](std::vector<float> allowed_misses) {
    state.allowed_misses = allowed_misses.empty() ? nullptr : allowed_misses.data();
    prepare_requests(context, args, state);
    return state.groups[0].everything;
  };
  EXPECT_TRUE(wants_everything({}));
  EXPECT_TRUE(wants_everything({-1.0f, -1.0f}));
  EXPECT_TRUE(wants_everything({0.0f, -1.0f}));
  EXPECT_FALSE(wants_everything({0.0f, 3.0f}));
}

}  // namespace
}  // namespace silverlode::cpu
