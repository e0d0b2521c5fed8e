#include "ops/bloom_build.h"
#include "ops/bloom_layout.h"
#include "ops/bloom_probe.h"
#include "tests/filter_fixture.h"

namespace silverlode {
namespace {

using namespace filter_test;

std::vector<int64_t> layout(const Csr& csr, double bits_per_term, int32_t threads = 1) {
  const int64_t rows = static_cast<int64_t>(csr.offsets.size()) - 1;
  Guarded<int64_t> offsets(rows / 512 + 1);
  const BloomLayout::Args args = {csr.offsets.data(), offsets.data(), rows, bits_per_term};
  EXPECT_TRUE(run_op(cpu::entry<BloomLayout>(), args, threads).ok());
  return offsets.copy();
}

std::vector<uint64_t> build(const Csr& csr, const std::vector<int64_t>& hashes, const std::vector<int64_t>& offsets,
                            int32_t n_hashes, int32_t threads = 1) {
  Guarded<uint64_t> bloom(offsets.back() * 8);
  const BloomBuild::Args args = {csr.offsets.data(),
                                 csr.terms.data(),
                                 hashes.data(),
                                 offsets.data(),
                                 bloom.data(),
                                 static_cast<int64_t>(csr.offsets.size()) - 1,
                                 static_cast<int64_t>(csr.terms.size()),
                                 static_cast<int64_t>(hashes.size()),
                                 offsets.back(),
                                 n_hashes};
  EXPECT_TRUE(run_op(cpu::entry<BloomBuild>(), args, threads).ok());
  return bloom.copy();
}

std::vector<uint64_t> probe(const std::vector<uint64_t>& bloom, const std::vector<int64_t>& offsets,
                            const std::vector<int64_t>& hashes, int32_t n_hashes, int32_t threads = 1) {
  const int64_t blocks = static_cast<int64_t>(offsets.size()) - 1;
  const int64_t terms = static_cast<int64_t>(hashes.size());
  Guarded<uint64_t> hits(terms * blocks * 8);
  const BloomProbe::Args args = {bloom.data(), offsets.data(), hashes.data(), hits.data(),
                                 blocks,       offsets.back(), terms,         n_hashes};
  EXPECT_TRUE(run_op(cpu::entry<BloomProbe>(), args, threads).ok());
  return hits.copy();
}

std::vector<int64_t> random_hashes(Random& random, int64_t n) {
  std::vector<int64_t> hashes;
  for (int64_t i = 0; i < n; ++i) hashes.push_back(static_cast<int64_t>(random()));
  return hashes;
}

// `n` ascending terms out of [0, terms).
std::vector<int32_t> some_terms(Random& random, int64_t n, int64_t terms) {
  std::vector<int32_t> own;
  while (static_cast<int64_t>(own.size()) < n) {
    const auto term = static_cast<int32_t>(pick(random, 0, terms - 1));
    const auto at = std::lower_bound(own.begin(), own.end(), term);
    if (at == own.end() || *at != term) own.insert(at, term);
  }
  return own;
}

TEST(Bloom, EveryTermIsFoundAndTheSignaturesAreThoseOfTheContract) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Catalogue catalogue;
    catalogue.rows = 512 * pick(random, 1, 6);
    catalogue.hashes = static_cast<int32_t>(pick(random, 1, 16));
    const int64_t terms = 200;
    catalogue.slice_of_term.assign(terms, -1);
    catalogue.term_hashes = random_hashes(random, terms);
    for (int64_t row = 0; row < catalogue.rows; ++row) {
      const bool none = row / 512 % 3 == 1 || chance(random, 0.3);
      catalogue.all_terms.push_back(some_terms(random, none ? 0 : pick(random, 0, 9), terms));
    }
    index_terms(catalogue, 40);
    const Csr csr(catalogue.all_terms);
    EXPECT_EQ(build(csr, catalogue.term_hashes, catalogue.bloom_offsets, catalogue.hashes), catalogue.bloom);

    const auto offsets = layout(csr, 12);
    const auto bloom = build(csr, catalogue.term_hashes, offsets, catalogue.hashes);
    const auto hits = probe(bloom, offsets, catalogue.term_hashes, catalogue.hashes);
    for (int64_t row = 0; row < catalogue.rows; ++row) {
      for (int32_t term : catalogue.all_terms[static_cast<size_t>(row)]) {
        ASSERT_TRUE(bit(hits.data() + term * catalogue.words(), row));
      }
    }
    for (const int32_t threads : {2, 3, 8}) {
      EXPECT_EQ(layout(csr, 12, threads), offsets);
      EXPECT_EQ(build(csr, catalogue.term_hashes, offsets, catalogue.hashes, threads), bloom);
      EXPECT_EQ(probe(bloom, offsets, catalogue.term_hashes, catalogue.hashes, threads), hits);
    }
  }
}

TEST(Bloom, TheWidthFollowsTheLoadOfTheBlock) {
  Rows rows(512 * 4);
  for (size_t row = 0; row < 512; ++row) rows[row] = {0, 1, 2, 3, 4};    // 5 terms each
  for (size_t row = 512; row < 512 + 100; ++row) rows[row] = {0, 1, 2};  // a fifth of the rows, 3 terms each
  for (size_t row = 1024; row < 1024 + 512; ++row) rows[row] = {7};      // fewer bits than the least width
  EXPECT_EQ(layout(Csr(rows), 12), (std::vector<int64_t>{0, 60, 96, 96 + kMinBloomWidth, 96 + kMinBloomWidth}));
  EXPECT_EQ(layout(Csr(rows), 7.3)[1], 37);
  EXPECT_EQ(layout(Csr(Rows{}), 12), std::vector<int64_t>{0});

  for (size_t row = 0; row < 25; ++row) rows[row].resize(50, 9);  // under 5 %: not counted
  EXPECT_EQ(layout(Csr(rows), 12)[1], 60);
  rows[25].resize(50, 9);
  EXPECT_EQ(layout(Csr(rows), 12)[1], 600);
}

TEST(Bloom, OneRowWithThreeThousandTermsDoesNotWidenItsBlock) {
  Random random(11);
  Rows rows(1024);
  for (auto& row : rows) row = some_terms(random, 6, 4000);
  const auto usual = layout(Csr(rows), 12);
  rows[700] = some_terms(random, 3000, 4000);
  const Csr csr(rows);
  const auto offsets = layout(csr, 12);
  EXPECT_EQ(offsets, usual);
  const auto hashes = random_hashes(random, 4000);
  const auto bloom = build(csr, hashes, offsets, 3);
  const auto hits = probe(bloom, offsets, hashes, 3);
  int64_t false_hits = 0;
  for (int64_t term = 0; term < 4000; ++term) {
    for (int64_t row = 0; row < 1024; ++row) {
      const auto& own = rows[static_cast<size_t>(row)];
      const bool holds = std::binary_search(own.begin(), own.end(), static_cast<int32_t>(term));
      const bool hit = bit(hits.data() + term * 16, row);
      ASSERT_TRUE(hit || !holds) << "term " << term << " row " << row;
      if (row != 700 && hit && !holds) ++false_hits;
    }
  }
  EXPECT_LT(static_cast<double>(false_hits) / (4000.0 * 1023), 0.03);
}

TEST(Bloom, BadInputsAreRefusedBeforeAnythingIsWritten) {
  const std::vector<int64_t> hashes = {1, 2, 3};
  Rows rows(1024);
  rows[5] = {0, 2};
  rows[600] = {1};
  const Csr good(rows);
  const auto refused = [&](Csr csr, std::vector<int64_t> offsets, int64_t positions) {
    Guarded<uint64_t> bloom(std::max<int64_t>(positions, 0) * 8);
    const BloomBuild::Args args = {
        csr.offsets.data(), csr.terms.data(), hashes.data(), offsets.data(), bloom.data(), 1024, 3, 3, positions, 3};
    return run_op(cpu::entry<BloomBuild>(), args).code == Code::kInvalidArgument && bloom.untouched();
  };
  EXPECT_FALSE(refused(good, {0, 20, 40}, 40));
  EXPECT_TRUE(refused(good, {0, 20, 40}, 41));
  EXPECT_TRUE(refused(good, {0, 50, 40}, 40));
  EXPECT_TRUE(refused(good, {0, 40, 40}, 40)) << "the second block would lose its term";
  EXPECT_TRUE(refused(good, {-1, 20, 40}, 40));
  for (const int32_t term : {-1, 3, INT32_MAX, INT32_MIN}) {
    Csr bad = good;
    bad.terms[1] = term;
    EXPECT_TRUE(refused(bad, {0, 20, 40}, 40));
  }
  for (const int32_t offset : {-1, 4, INT32_MAX}) {
    Csr bad = good;
    bad.offsets[300] = offset;
    EXPECT_TRUE(refused(bad, {0, 20, 40}, 40));
    Guarded<int64_t> offsets(3);
    const BloomLayout::Args args = {bad.offsets.data(), offsets.data(), 1024, 12};
    EXPECT_EQ(run_op(cpu::entry<BloomLayout>(), args).code, Code::kInvalidArgument);
    EXPECT_TRUE(offsets.untouched());
  }
  const std::vector<int64_t> beyond = {0, 20, 41};
  const std::vector<uint64_t> bloom(40 * 8, 0);
  Guarded<uint64_t> hits(16);
  const BloomProbe::Args args = {bloom.data(), beyond.data(), hashes.data(), hits.data(), 2, 40, 1, 3};
  EXPECT_EQ(run_op(cpu::entry<BloomProbe>(), args).code, Code::kInvalidArgument);
  EXPECT_TRUE(hits.untouched());
}

}  // namespace
}  // namespace silverlode
