// The eligibility index as tensors, and the plans that are evaluated on it (contracts 3). Not an op: the ops that read
// the index share this view.
//
// Rows are index rows (sorted by cluster). A mask holds one bit per row, 64 rows a word, least significant bit first: row r
// is bit r % 64 of word r / 64. A *block* is 8 words = 512 rows, one cache line per bit position.
//
//   slices         int64 [S, W]    exact bit slices: one per low-cardinality term and one per field for EXISTS
//   bloom          int64 [P, 8]    signatures of all other terms: block b holds width(b) of the P positions, 8 words each
//   bloom_offsets  int64 [W/8 + 1] first position of a block; width(b) = bloom_offsets[b+1] - bloom_offsets[b], may be 0
//                                  (a block without such terms matches nothing)
//   columns32      int32 [F32, N]  numeric columns whose values fit
//   columns64      int64 [F64, N]  other numeric columns; float64 as order-preserving int64 keys
//   term_offsets   int32 [N + 1], terms int32: ascending term ids of each row, those with an exact slice left out; fewer
//                                  than 2^31 of them
//
// W is a multiple of 8. Position j of a term in a block of width w, for the 64-bit hash h = (h1 | h2 << 32):
// p_j = ((h1 + j * (h2 | 1)) mod 2^32) * w >> 32.
//
// Index tensors may come from a file: every offset in them is checked where it is used, so that a broken index gives wrong
// answers but never a read out of bounds. Plans come with each request and are refused as a whole when anything is wrong.
#pragma once

#include <cstdint>

#include "ops/op.h"

namespace silverlode {

enum class FilterOp : int64_t {
  kAll = 0,
  kNone = 1,
  kSlice = 2,    // arg: slice
  kBloom = 3,    // arg: term id, lo: its hash
  kRange32 = 4,  // arg: column in columns32, lo/hi inclusive
  kRange64 = 5,  // arg: column in columns64, lo/hi inclusive
  kNot = 6,
  kAnd = 7,
  kOr = 8,
  kRows = 9,  // adds listed rows to what is on top of the stack: those of mask word `arg` that `lo` has, see below
};

// One step of a plan in postfix order; a row of the int64 [n, 4] steps tensor.
struct FilterStep {
  FilterOp op;
  int64_t arg;
  int64_t lo;
  int64_t hi;
};

// A list of rows is kNone and a run of kRows: words ascend, and `hi` says how many steps of the run follow, so that evaluators find
// a word by bisection. Each of them works by itself too, as a step that takes one entry and gives one.
constexpr bool continues_run(const FilterStep& step, const FilterStep& next) {
  return next.op == FilterOp::kRows && next.arg > step.arg && next.hi == step.hi - 1;
}

// First step of a run whose word is not below `word`; `n` where there is none.
constexpr int64_t find_in_run(const FilterStep* run, int64_t n, int64_t word) {
  int64_t begin = 0;
  for (int64_t end = n; begin < end;) {
    const int64_t middle = (begin + end) / 2;
    if (run[middle].arg < word) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

// Rows of one word that a run lists.
constexpr uint64_t listed_rows(const FilterStep* run, int64_t n, int64_t word) {
  const int64_t at = find_in_run(run, n, word);
  return at < n && run[at].arg == word ? static_cast<uint64_t>(run[at].lo) : 0;
}

// Stack entries a plan may need; plans are rejected beyond it (the language allows depth 256).
constexpr int32_t kMaxFilterStack = 300;

struct FilterIndexRef {
  const uint64_t* slices = nullptr;
  const uint64_t* bloom = nullptr;
  const int64_t* bloom_offsets = nullptr;
  const int32_t* columns32 = nullptr;
  const int64_t* columns64 = nullptr;
  const int32_t* term_offsets = nullptr;
  const int32_t* terms = nullptr;
  int64_t rows = 0;   // N, a multiple of 512
  int64_t words = 0;  // W = N / 64
  int64_t n_slices = 0, n_columns32 = 0, n_columns64 = 0;
  int64_t positions = 0;  // P
  int64_t n_terms = 0;    // entries of `terms`
  int32_t hashes = 0;     // Bloom positions per term
};

constexpr int64_t kBlockWords = 8;
constexpr int64_t kBlockRows = 512;
constexpr int64_t kMaxHashes = 16;

// Position j of a term in a block of `width` positions.
constexpr int64_t bloom_position(uint64_t hash, int32_t j, int64_t width) {
  const uint32_t step = static_cast<uint32_t>(hash >> 32) | 1u;
  const uint32_t mixed = static_cast<uint32_t>(hash) + static_cast<uint32_t>(j) * step;
  return static_cast<int64_t>((static_cast<uint64_t>(mixed) * static_cast<uint64_t>(width)) >> 32);
}

// The positions of one block; broken offsets read as a block without terms.
struct BloomBlock {
  const uint64_t* words = nullptr;
  int64_t width = 0;
};

constexpr BloomBlock bloom_block(const FilterIndexRef& index, int64_t block) {
  if (index.bloom_offsets == nullptr) return {};
  const int64_t first = index.bloom_offsets[block];
  const int64_t last = index.bloom_offsets[block + 1];
  if (first < 0 || last < first || last > index.positions || last - first > UINT32_MAX) return {};
  return {index.bloom + first * kBlockWords, last - first};
}

// A batch of plans, each evaluated once however many requests share it. A plan without steps matches nothing; entries of
// `steps` behind the last plan are ignored, so plans fit into tensors of a fixed capacity.
struct FilterPlansRef {
  const FilterStep* steps = nullptr;
  const int32_t* offsets = nullptr;  // [plans + 1] into steps
  int64_t plans = 0;
  int64_t total_steps = 0;
};

// The seven index tensors in the order above start at inputs[first]; slices, bloom, columns and terms may be empty
// (0 elements) but not absent. The offsets may be empty only beside an empty bloom. Checks dtypes and shapes against each
// other; `words` is W.
constexpr int32_t kFilterIndexInputs = 7;
Status check_filter_index(const char* op, Inputs inputs, size_t first, int64_t words);
FilterIndexRef bind_filter_index(Inputs inputs, size_t first, int64_t words, int64_t hashes);

// plan_offsets int32 [plans + 1] and plan_steps int64 [steps, 4] at inputs[first]; both may be symbolic.
Status check_plan_inputs(const char* op, Inputs inputs, size_t first);
FilterPlansRef bind_plans(Inputs inputs, size_t first);

// Reads the attribute `hashes`, 0 to kMaxHashes, which keeps its value when it is not given; 0 is for an index without Bloom
// terms.
Status parse_hashes(const Attributes& attributes, int64_t& hashes);

// Stack entries a step takes, or -1 when the step itself is wrong.
constexpr int32_t filter_operands(const FilterStep& step, const FilterIndexRef& index) {
  const auto within = [&](int64_t count) { return step.arg >= 0 && step.arg < count ? 0 : -1; };
  switch (step.op) {
    case FilterOp::kAll:
    case FilterOp::kNone: return 0;
    case FilterOp::kSlice: return within(index.n_slices);
    case FilterOp::kBloom: return index.hashes > 0 ? within(INT32_MAX) : -1;
    case FilterOp::kRange32: return within(index.n_columns32);
    case FilterOp::kRange64: return within(index.n_columns64);
    case FilterOp::kNot: return 1;
    case FilterOp::kRows: return step.arg >= 0 && step.hi >= 0 ? 1 : -1;
    case FilterOp::kAnd:
    case FilterOp::kOr: return 2;
  }
  return -1;
}

// Whether what a step of kRows says of those behind it is true; `end` ends the plan.
constexpr bool keeps_run(const FilterStep* steps, int64_t i, int64_t end) {
  if (steps[i].op != FilterOp::kRows || steps[i].hi == 0) return true;
  return i + 1 < end && continues_run(steps[i], steps[i + 1]);
}

// Steps are run-time data from outside: every opcode, argument and the stack depth are checked before use.
Status check_filter_plans(const FilterPlansRef& plans, const FilterIndexRef& index);

}  // namespace silverlode
