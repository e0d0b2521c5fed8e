// Random filter indexes and plans beside an obvious scalar truth, and calls of CPU ops by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "backends/cpu/backend.h"
#include "core/aligned.h"
#include "ops/filter_index.h"

namespace silverlode::filter_test {

using Random = std::mt19937_64;

inline int64_t pick(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}
inline bool chance(Random& random, double p) { return std::bernoulli_distribution(p)(random); }

inline std::vector<cpu::SimdLevel> levels() {
  std::vector<cpu::SimdLevel> supported;
  for (auto level :
       {cpu::SimdLevel::kSerial, cpu::SimdLevel::kAvx2, cpu::SimdLevel::kAvx512Vnni, cpu::SimdLevel::kNeon}) {
    if (cpu::simd_supported(level)) supported.push_back(level);
  }
  return supported;
}

// Runs one op in a workspace of exactly the size it asks for, with guard bytes behind it.
template <class Args>
Status run_op(const OpEntry<Args>& entry, const Args& args, int32_t threads = 1,
              cpu::SimdLevel level = cpu::best_simd_level(), const volatile uint32_t* cancel = nullptr) {
  cpu::ThreadPool pool(threads);
  cpu::Runtime runtime{pool, cpu::simd_table(level)};
  Context context;
  context.backend = &runtime;
  context.cancel = cancel;
  const size_t bytes = entry.workspace == nullptr ? 0 : entry.workspace(context, args);
  const AlignedMemory memory = allocate_aligned(bytes + 64);
  std::memset(memory.get(), 0xab, bytes + 64);
  const Status status = entry.run(context, args, {memory.get(), bytes});
  const auto* guard = static_cast<const uint8_t*>(memory.get()) + bytes;
  EXPECT_TRUE(std::all_of(guard, guard + 64, [](uint8_t byte) { return byte == 0xab; })) << "workspace overrun";
  return status;
}

// An output with guards on both sides.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t n) : values_(static_cast<size_t>(n) + 2 * kGuard, marker()) {}
  ~Guarded() {
    EXPECT_TRUE(untouched(0, kGuard)) << "written before the output";
    EXPECT_TRUE(untouched(values_.size() - kGuard, values_.size())) << "written behind the output";
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return values_.data() + kGuard; }
  T operator[](int64_t i) const { return values_[static_cast<size_t>(i) + kGuard]; }
  bool untouched() const { return untouched(0, values_.size()); }
  std::vector<T> copy() const { return {values_.begin() + kGuard, values_.end() - kGuard}; }
  bool operator==(const Guarded& other) const { return values_ == other.values_; }

 private:
  static constexpr size_t kGuard = 16;
  static T marker() { return static_cast<T>(0x5a5a5a5a5a5a5a5aull); }
  bool untouched(size_t begin, size_t end) const {
    return std::all_of(values_.begin() + static_cast<int64_t>(begin), values_.begin() + static_cast<int64_t>(end),
                       [](T value) { return value == marker(); });
  }
  std::vector<T> values_;
};

inline bool bit(const uint64_t* words, int64_t row) { return (words[row / 64] >> (row % 64) & 1) != 0; }

using Rows = std::vector<std::vector<int32_t>>;  // terms of each row, ascending

struct Csr {
  std::vector<int32_t> offsets = {0};
  std::vector<int32_t> terms;

  explicit Csr(const Rows& rows) {
    for (const auto& row : rows) {
      terms.insert(terms.end(), row.begin(), row.end());
      offsets.push_back(static_cast<int32_t>(terms.size()));
    }
  }
};

// Position j of a term, written as in the contract.
inline int64_t reference_position(uint64_t hash, int64_t j, int64_t width) {
  const uint64_t h1 = hash & 0xffffffffu;
  const uint64_t h2 = hash >> 32;
  const uint64_t mixed = (h1 + static_cast<uint64_t>(j) * (h2 | 1)) % (uint64_t{1} << 32);
  return static_cast<int64_t>((mixed * static_cast<uint64_t>(width)) >> 32);
}

// A catalogue of rows with terms (some of which have a slice) and numeric columns, and its index.
struct Catalogue {
  int64_t rows = 0;
  int32_t hashes = 3;
  Rows all_terms;                      // as published
  std::vector<int32_t> slice_of_term;  // -1: Bloom
  std::vector<int64_t> term_hashes;
  std::vector<uint64_t> slices, bloom;
  std::vector<int64_t> bloom_offsets;
  std::vector<int32_t> columns32;
  std::vector<int64_t> columns64;
  int64_t n_slices = 0, n_columns32 = 2, n_columns64 = 2;
  std::vector<int32_t> term_offsets;
  std::vector<int32_t> terms;

  int64_t words() const { return rows / 64; }

  FilterIndexRef ref() const {
    FilterIndexRef index;
    index.slices = slices.data();
    index.bloom = bloom.data();
    index.bloom_offsets = bloom_offsets.data();
    index.columns32 = columns32.data();
    index.columns64 = columns64.data();
    index.term_offsets = term_offsets.data();
    index.terms = terms.data();
    index.rows = rows;
    index.words = words();
    index.n_slices = n_slices;
    index.n_columns32 = n_columns32;
    index.n_columns64 = n_columns64;
    index.positions = static_cast<int64_t>(bloom.size()) / 8;
    index.n_terms = static_cast<int64_t>(terms.size());
    index.hashes = hashes;
    return index;
  }

  bool holds(int64_t row, int64_t term) const {
    const auto& own = all_terms[static_cast<size_t>(row)];
    return std::binary_search(own.begin(), own.end(), static_cast<int32_t>(term));
  }
};

// Fills slices, signatures and exact terms from all_terms, slice_of_term, term_hashes; `width` of every block with terms.
inline void index_terms(Catalogue& catalogue, int64_t width) {
  Rows exact(catalogue.all_terms.size());
  catalogue.slices.assign(static_cast<size_t>(catalogue.n_slices * catalogue.words()), 0);
  for (int64_t row = 0; row < catalogue.rows; ++row) {
    for (int32_t term : catalogue.all_terms[static_cast<size_t>(row)]) {
      const int32_t slice = catalogue.slice_of_term[static_cast<size_t>(term)];
      if (slice < 0) {
        exact[static_cast<size_t>(row)].push_back(term);
      } else {
        catalogue.slices[static_cast<size_t>(slice * catalogue.words() + row / 64)] |= uint64_t{1} << (row % 64);
      }
    }
  }
  const Csr csr(exact);
  catalogue.term_offsets = csr.offsets;
  catalogue.terms = csr.terms;
  catalogue.bloom_offsets = {0};
  catalogue.bloom.clear();
  for (int64_t block = 0; block < catalogue.rows / 512; ++block) {
    const bool any =
        csr.offsets[static_cast<size_t>(block * 512)] < csr.offsets[static_cast<size_t>(block * 512 + 512)];
    const int64_t first = catalogue.bloom_offsets.back();
    catalogue.bloom_offsets.push_back(first + (any ? width : 0));
    catalogue.bloom.resize(static_cast<size_t>(catalogue.bloom_offsets.back() * 8), 0);
    for (int64_t row = block * 512; row < block * 512 + 512; ++row) {
      for (int32_t term : exact[static_cast<size_t>(row)]) {
        const auto hash = static_cast<uint64_t>(catalogue.term_hashes[static_cast<size_t>(term)]);
        for (int64_t j = 0; j < catalogue.hashes; ++j) {
          const int64_t position = first + reference_position(hash, j, width);
          catalogue.bloom[static_cast<size_t>(position * 8 + row % 512 / 64)] |= uint64_t{1} << (row % 64);
        }
      }
    }
  }
}

// Terms 0..n_slices-1 have slices; every third block has no Bloom term at all.
inline Catalogue random_catalogue(Random& random, int64_t blocks, int64_t width = 24) {
  constexpr int64_t kTerms = 60;
  Catalogue catalogue;
  catalogue.rows = blocks * 512;
  catalogue.n_slices = 5;
  for (int64_t term = 0; term < kTerms; ++term) {
    catalogue.slice_of_term.push_back(term < catalogue.n_slices ? static_cast<int32_t>(term) : -1);
    catalogue.term_hashes.push_back(static_cast<int64_t>(random()));
  }
  for (int64_t row = 0; row < catalogue.rows; ++row) {
    std::vector<int32_t> own;
    for (int32_t term = 0; term < kTerms; ++term) {
      const bool sliced = term < catalogue.n_slices;
      const double p = sliced ? 0.1 + 0.18 * term : 0.05;
      if ((sliced || row / 512 % 3 != 1) && chance(random, p)) own.push_back(term);
    }
    catalogue.all_terms.push_back(own);
  }
  index_terms(catalogue, width);
  for (int64_t i = 0; i < catalogue.n_columns32 * catalogue.rows; ++i) {
    const bool extreme = chance(random, 0.02);
    catalogue.columns32.push_back(extreme ? (i % 2 == 0 ? INT32_MIN : INT32_MAX)
                                          : static_cast<int32_t>(pick(random, -50, 50)));
  }
  for (int64_t i = 0; i < catalogue.n_columns64 * catalogue.rows; ++i) {
    const bool extreme = chance(random, 0.02);
    catalogue.columns64.push_back(extreme ? (i % 2 == 0 ? INT64_MIN : INT64_MAX) : pick(random, -1000, 1000) << 33);
  }
  return catalogue;
}

using Plan = std::vector<FilterStep>;

inline FilterStep bloom_step(const Catalogue& catalogue, int64_t term) {
  return {FilterOp::kBloom, term, catalogue.term_hashes[static_cast<size_t>(term)], 0};
}

inline FilterStep random_leaf(Random& random, const Catalogue& catalogue) {
  const int64_t bounds[] = {INT64_MIN, INT32_MIN, -20, 0, 20, INT32_MAX, INT64_MAX};
  const auto bound = [&] { return chance(random, 0.3) ? bounds[pick(random, 0, 6)] : pick(random, -50, 50); };
  switch (pick(random, 0, 9)) {
    case 0: return {FilterOp::kAll, 0, 0, 0};
    case 1: return {FilterOp::kNone, 0, 0, 0};
    case 2: return {FilterOp::kRange32, pick(random, 0, catalogue.n_columns32 - 1), bound(), bound()};
    case 3:
      return {FilterOp::kRange64, pick(random, 0, catalogue.n_columns64 - 1), pick(random, -1000, 0) << 33, bound()};
    case 4:
    case 5: return {FilterOp::kSlice, pick(random, 0, catalogue.n_slices - 1), 0, 0};
    default:
      return bloom_step(catalogue,
                        pick(random, catalogue.n_slices, static_cast<int64_t>(catalogue.term_hashes.size()) - 1));
  }
}

inline std::vector<uint64_t> random_words(Random& random, int64_t n, double p) {
  std::vector<uint64_t> words(static_cast<size_t>(n), 0);
  for (int64_t i = 0; i < n * 64; ++i) {
    if (chance(random, p)) words[static_cast<size_t>(i / 64)] |= uint64_t{1} << (i % 64);
  }
  return words;
}

// Listed rows of some words, ascending.
inline Plan random_rows(Random& random, const Catalogue& catalogue) {
  Plan plan = {{FilterOp::kNone, 0, 0, 0}};
  for (int64_t word = 0; word < catalogue.rows / 64; ++word) {
    if (chance(random, 0.5)) {
      plan.push_back({FilterOp::kRows, word, static_cast<int64_t>(random_words(random, 1, 0.3)[0]), 0});
    }
  }
  for (size_t i = 1; i < plan.size(); ++i) plan[i].hi = static_cast<int64_t>(plan.size() - 1 - i);
  return plan;
}

inline void random_plan(Random& random, const Catalogue& catalogue, int32_t depth, Plan& plan) {
  if (depth == 0 || chance(random, 0.2)) {
    if (chance(random, 0.1)) {
      const Plan rows = random_rows(random, catalogue);
      plan.insert(plan.end(), rows.begin(), rows.end());
    } else {
      plan.push_back(random_leaf(random, catalogue));
    }
    return;
  }
  random_plan(random, catalogue, depth - 1, plan);
  const int64_t op = pick(random, 0, 5);
  if (op == 0) {
    plan.push_back({FilterOp::kNot, 0, 0, 0});
    return;
  }
  random_plan(random, catalogue, depth - 1, plan);
  plan.push_back({op <= 3 ? FilterOp::kAnd : FilterOp::kOr, 0, 0, 0});
}

inline bool truth(const Plan& plan, const Catalogue& catalogue, int64_t row) {
  std::vector<bool> stack;
  const auto pop = [&] {
    const bool top = stack.back();
    stack.pop_back();
    return top;
  };
  for (const FilterStep& step : plan) {
    const auto within = [&](int64_t value) { return step.lo <= value && value <= step.hi; };
    const size_t cell = static_cast<size_t>(step.arg * catalogue.rows + row);
    switch (step.op) {
      case FilterOp::kAll: stack.push_back(true); break;
      case FilterOp::kNone: stack.push_back(false); break;
      case FilterOp::kSlice:
      case FilterOp::kBloom: stack.push_back(catalogue.holds(row, step.arg)); break;
      case FilterOp::kRange32: stack.push_back(within(catalogue.columns32[cell])); break;
      case FilterOp::kRange64: stack.push_back(within(catalogue.columns64[cell])); break;
      case FilterOp::kNot: stack.push_back(!pop()); break;
      case FilterOp::kRows: stack.push_back(pop() || (step.arg == row / 64 && (step.lo >> (row % 64) & 1) != 0)); break;
      case FilterOp::kAnd: {
        const bool a = pop(), b = pop();
        stack.push_back(a && b);
        break;
      }
      case FilterOp::kOr: {
        const bool a = pop(), b = pop();
        stack.push_back(a || b);
        break;
      }
    }
  }
  return !stack.empty() && stack.back();
}

// Plans as the two tensors.
struct Plans {
  std::vector<FilterStep> steps;
  std::vector<int32_t> offsets = {0};

  void add(const Plan& plan) {
    steps.insert(steps.end(), plan.begin(), plan.end());
    offsets.push_back(static_cast<int32_t>(steps.size()));
  }
  FilterPlansRef ref() const {
    return {steps.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1, static_cast<int64_t>(steps.size())};
  }
};

// Plans that must be refused, each for another reason.
inline std::vector<Plan> hostile_plans(const Catalogue& catalogue) {
  const FilterStep all = {FilterOp::kAll, 0, 0, 0};
  const FilterStep both = {FilterOp::kAnd, 0, 0, 0};
  std::vector<Plan> plans = {
      {{static_cast<FilterOp>(10), 0, 0, 0}},
      {{static_cast<FilterOp>(-1), 0, 0, 0}},
      {{static_cast<FilterOp>(INT64_MAX), 0, 0, 0}},
      {{static_cast<FilterOp>(int64_t{1} << 32), 0, 0, 0}},
      {{FilterOp::kNot, 0, 0, 0}},
      {all, both},
      {{FilterOp::kRows, 0, 1, 0}},
      {all, {FilterOp::kRows, -1, 1, 0}},
      {all, {FilterOp::kRows, 0, 1, -1}},
      {all, {FilterOp::kRows, 0, 1, 1}},  // a run beyond the plan
      {all, {FilterOp::kRows, 0, 1, INT64_MAX}},
      {all, {FilterOp::kRows, 0, 1, 1}, {FilterOp::kNot, 0, 0, 0}},   // or of other steps
      {all, {FilterOp::kRows, 1, 1, 1}, {FilterOp::kRows, 1, 1, 0}},  // that does not ascend
      {all,
       {FilterOp::kRows, 0, 1, 2},
       {FilterOp::kRows, 1, 1, 0},
       {FilterOp::kRows, 2, 1, 0}},  // or lies about its length
      {all, all},
      {{FilterOp::kSlice, catalogue.n_slices, 0, 0}},
      {{FilterOp::kSlice, -1, 0, 0}},
      {{FilterOp::kBloom, -1, 0, 0}},
      {{FilterOp::kRange32, catalogue.n_columns32, 0, 0}},
      {{FilterOp::kRange64, INT64_MIN, 0, 0}},
  };
  Plan deep(kMaxFilterStack + 1, all);
  deep.insert(deep.end(), kMaxFilterStack, both);
  plans.push_back(deep);
  return plans;
}

// As deep as a plan may be: it holds for rows in slice 0 (all the others are true).
inline Plan deepest_plan() {
  Plan plan(kMaxFilterStack - 1, {FilterOp::kAll, 0, 0, 0});
  plan.push_back({FilterOp::kSlice, 0, 0, 0});
  plan.insert(plan.end(), kMaxFilterStack - 1, {FilterOp::kAnd, 0, 0, 0});
  return plan;
}

}  // namespace silverlode::filter_test
