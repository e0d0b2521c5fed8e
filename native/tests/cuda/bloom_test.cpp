#include "ops/bloom_build.h"
#include "ops/bloom_layout.h"
#include "ops/bloom_probe.h"
#include "ops/slice_build.h"
#include "tests/cuda/cuda_harness.h"
#include "tests/filter_fixture.h"

namespace silverlode::cuda {
namespace {

using filter_test::Csr;
using filter_test::Random;
using filter_test::Rows;

constexpr int64_t kTerms = 90;

// Rows with 0 to 12 terms; every third block of 512 has none.
Rows draw_rows(Random& random, int64_t blocks) {
  Rows rows(static_cast<size_t>(blocks * 512));
  for (size_t row = 0; row < rows.size(); ++row) {
    for (int64_t i = row / 512 % 3 == 1 ? 0 : filter_test::pick(random, 0, 12); i > 0; --i) {
      rows[row].push_back(static_cast<int32_t>(filter_test::pick(random, 0, kTerms - 1)));
    }
    std::sort(rows[row].begin(), rows[row].end());
  }
  return rows;
}

Tensor<int64_t> tensor64(const std::vector<int64_t>& values) { return {{static_cast<int64_t>(values.size())}, values}; }
Tensor<int32_t> tensor32(const std::vector<int32_t>& values) { return {{static_cast<int64_t>(values.size())}, values}; }

OpResult compare_layout(const Tensor<int32_t>& term_offsets, double bits) {
  Attributes attributes;
  attributes.values["bits_per_term"] = bits;
  return expect_same<BloomLayout>(entry<BloomLayout>(), cpu::entry<BloomLayout>(), attributes, {term_offsets.view()});
}

OpResult compare_build(const Csr& csr, const std::vector<int64_t>& hashes_of_terms, const std::vector<int64_t>& offsets,
                       int64_t hashes) {
  Attributes attributes;
  attributes.values["hashes"] = hashes;
  attributes.values["positions"] = offsets.back();
  const Tensor<int32_t> term_offsets = tensor32(csr.offsets);
  const Tensor<int32_t> terms = tensor32(csr.terms);
  const Tensor<int64_t> term_hashes = tensor64(hashes_of_terms);
  const Tensor<int64_t> block_offsets = tensor64(offsets);
  return expect_same<BloomBuild>(entry<BloomBuild>(), cpu::entry<BloomBuild>(), attributes,
                                 {term_offsets.view(), terms.view(), term_hashes.view(), block_offsets.view()});
}

std::vector<int64_t> draw_hashes(Random& random) {
  std::vector<int64_t> hashes;
  for (int64_t i = 0; i < kTerms; ++i) hashes.push_back(static_cast<int64_t>(random()));
  return hashes;
}

TEST(CudaBloom, LayoutBuildAndProbe) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int64_t blocks : {0, 1, 5}) {
    for (double bits : {1.0, 12.0, 63.7}) {  // the widest block needs several pieces
      const Csr csr(draw_rows(random, blocks));
      const std::vector<int64_t> term_hashes = draw_hashes(random);
      const std::vector<int64_t> offsets = compare_layout(tensor32(csr.offsets), bits).values<int64_t>(0);
      for (int64_t hashes : {1, 4, 7}) {
        const OpResult bloom = compare_build(csr, term_hashes, offsets, hashes);
        Attributes attributes;
        attributes.values["hashes"] = hashes;
        const Tensor<int64_t> block_offsets = tensor64(offsets);
        const Tensor<int64_t> probes = tensor64(term_hashes);
        expect_same<BloomProbe>(entry<BloomProbe>(), cpu::entry<BloomProbe>(), attributes,
                                {bloom.outputs[0], block_offsets.view(), probes.view()});
      }
    }
  }
}

TEST(CudaBloom, BadOffsetsAndTermsAreRefused) {
  Random random(2);
  const Csr good(draw_rows(random, 2));
  const std::vector<int64_t> hashes = draw_hashes(random);
  const std::vector<int64_t> offsets = {0, 40, 40};
  EXPECT_EQ(compare_build(good, hashes, offsets, 3).status.code, Code::kOk);
  Csr bad = good;
  bad.terms[3] = static_cast<int32_t>(kTerms);
  EXPECT_EQ(compare_build(bad, hashes, offsets, 3).status.code, Code::kInvalidArgument);
  bad.terms[3] = -1;
  EXPECT_EQ(compare_build(bad, hashes, offsets, 3).status.code, Code::kInvalidArgument);
  bad = good;
  std::swap(bad.offsets[5], bad.offsets[100]);
  EXPECT_EQ(compare_build(bad, hashes, offsets, 3).status.code, Code::kInvalidArgument);
  EXPECT_EQ(compare_layout(tensor32(bad.offsets), 8).status.code, Code::kInvalidArgument);
  for (const std::vector<int64_t>& wrong : {std::vector<int64_t>{0, 0, 40}, {1, 40, 40}, {0, 50, 40}}) {
    EXPECT_EQ(compare_build(good, hashes, wrong, 3).status.code, Code::kInvalidArgument);
  }
}

TEST(CudaSliceBuild, RandomRowsAndBadIds) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int64_t blocks : {0, 1, 4}) {
    for (int64_t slices : {0, 1, 9}) {
      const Csr csr(draw_rows(random, blocks));
      Tensor<int32_t> slice_of_term = {{kTerms}, {}};
      for (int64_t i = 0; i < kTerms; ++i) {
        slice_of_term.values.push_back(static_cast<int32_t>(filter_test::pick(random, -1, slices - 1)));
      }
      const Tensor<int32_t> offsets = tensor32(csr.offsets);
      Tensor<int32_t> terms = tensor32(csr.terms);
      Attributes attributes;
      attributes.values["slices"] = slices;
      const auto code = [&] {
        return expect_same<SliceBuild>(entry<SliceBuild>(), cpu::entry<SliceBuild>(), attributes,
                                       {offsets.view(), terms.view(), slice_of_term.view()})
            .status.code;
      };
      EXPECT_EQ(code(), Code::kOk);
      slice_of_term.values[7] = static_cast<int32_t>(slices);
      EXPECT_EQ(code(), Code::kInvalidArgument);
      slice_of_term.values[7] = -1;
      if (terms.values.empty()) continue;
      terms.values.back() = static_cast<int32_t>(kTerms);
      EXPECT_EQ(code(), Code::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace silverlode::cuda
