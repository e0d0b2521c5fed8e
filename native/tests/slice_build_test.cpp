#include "ops/slice_build.h"

#include "tests/filter_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

SliceBuild::Args arguments(const Csr& csr, const std::vector<int32_t>& slice_of_term, int64_t n_slices, uint64_t* out) {
  return {csr.offsets.data(),
          csr.terms.data(),
          slice_of_term.data(),
          out,
          static_cast<int64_t>(csr.offsets.size()) - 1,
          static_cast<int64_t>(csr.terms.size()),
          static_cast<int64_t>(slice_of_term.size()),
          n_slices};
}

TEST(SliceBuild, ARowHasABitWhereOneOfItsTermsHasTheSlice) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const int64_t n_rows = 512 * pick(random, 0, 20);
    const int64_t n_slices = pick(random, 0, 6);
    std::vector<int32_t> slice_of_term;
    for (int i = 0; i < 30; ++i) slice_of_term.push_back(static_cast<int32_t>(pick(random, -1, n_slices - 1)));
    Rows rows(static_cast<size_t>(n_rows));
    for (auto& row : rows) {
      for (int32_t term = 0; term < 30; ++term) {
        if (chance(random, 0.1)) row.push_back(term);
      }
    }
    const Csr csr(rows);
    Guarded<uint64_t> slices(n_slices * n_rows / 64);
    ASSERT_TRUE(run_op(cpu::entry<SliceBuild>(), arguments(csr, slice_of_term, n_slices, slices.data())).ok());
    for (int64_t slice = 0; slice < n_slices; ++slice) {
      for (int64_t row = 0; row < n_rows; ++row) {
        const auto& own = rows[static_cast<size_t>(row)];
        const bool expected = std::any_of(
            own.begin(), own.end(), [&](int32_t term) { return slice_of_term[static_cast<size_t>(term)] == slice; });
        ASSERT_EQ(bit(slices.data() + slice * n_rows / 64, row), expected);
      }
    }
    for (const int32_t threads : {2, 3, 8}) {
      Guarded<uint64_t> again(n_slices * n_rows / 64);
      const auto args = arguments(csr, slice_of_term, n_slices, again.data());
      ASSERT_TRUE(run_op(cpu::entry<SliceBuild>(), args, threads).ok());
      EXPECT_TRUE(slices == again);
    }
  }
}

TEST(SliceBuild, BadInputsAreRefusedBeforeAnythingIsWritten) {
  Rows rows(512);
  rows[3] = {0, 1};
  const Csr good(rows);
  const auto refused = [](const Csr& csr, const std::vector<int32_t>& slice_of_term) {
    Guarded<uint64_t> slices(2 * 8);
    const Status status = run_op(cpu::entry<SliceBuild>(), arguments(csr, slice_of_term, 2, slices.data()));
    return status.code == Code::kInvalidArgument && slices.untouched();
  };
  EXPECT_FALSE(refused(good, {0, 1}));
  EXPECT_FALSE(refused(good, {-1, 1}));
  EXPECT_TRUE(refused(good, {0, 2}));
  EXPECT_TRUE(refused(good, {0, -2}));
  EXPECT_TRUE(refused(good, {0}));
  Csr bad = good;
  bad.terms[0] = -1;
  EXPECT_TRUE(refused(bad, {0, 1}));
  bad = good;
  bad.offsets[1] = 5;
  EXPECT_TRUE(refused(bad, {0, 1}));
}

}  // namespace
}  // namespace silverlode
