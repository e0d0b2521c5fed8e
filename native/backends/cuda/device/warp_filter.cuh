// A filter plan on 32 mask words by one warp, a word per lane: control flow is the plan's, the same in every lane.
#pragma once

#include "backends/cuda/device/filter_program.cuh"

namespace silverlode::cuda {

constexpr int kFilterThreads = 128;
constexpr int kFilterWarps = kFilterThreads / 32;
constexpr uint64_t kAllRows = ~uint64_t{0};

// One plan, as the evaluators read it.
struct WarpPlan {
  const FilterStep* steps;
  const int32_t* links;
  int32_t n_steps;

  __device__ WarpPlan(const FilterProgram& program, int64_t plan) {
    const int32_t begin = program.plans.offsets[plan];
    steps = program.plans.steps + begin;
    links = program.links + begin;
    n_steps = program.plans.offsets[plan + 1] - begin;
  }
};

// Shared memory of a block: for evaluate_words, and for resolve_words.
struct FilterStacks {
  FilterPair entries[kFilterWarps][kShallowStack][32];
};
struct FilterRows {
  uint16_t rows[kFilterWarps][32 * 64];
  uint32_t found[kFilterWarps][64];
};

// Entries below the top of a lane's stack.
class FilterStack {
 public:
  // `spill` may be null for plans that are not deep.
  __device__ FilterStack(FilterPair (*near)[32], FilterPair* spill) : near_(near), spill_(spill) {}

  __device__ void push(const FilterPair& value) {
    if (depth_ > 0) entry(depth_ - 1) = top;
    top = value;
    ++depth_;
  }
  __device__ FilterPair pop_below() {
    --depth_;
    return entry(depth_ - 1);
  }

  FilterPair top = {0, 0};

 private:
  __device__ FilterPair& entry(int32_t i) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    return i < kShallowStack ? near_[i][lane] : spill_[(i - kShallowStack) * 32 + lane];
  }

  FilterPair (*near_)[32];
  FilterPair* spill_;
  int32_t depth_ = 0;
};

__device__ inline uint64_t bloom_hits(const FilterIndexRef& index, uint64_t hash, int64_t word) {
  const BloomBlock block = bloom_block(index, word / kBlockWords);
  if (block.width == 0) return 0;
  uint64_t hits = kAllRows;
  for (int32_t j = 0; j < index.hashes; ++j) {
    hits &= block.words[bloom_position(hash, j, block.width) * kBlockWords + word % kBlockWords];
  }
  return hits;
}

// Rows of a column within bounds: the warp reads the 64 values of one word after another, and the lane of a word keeps it.
template <class T>
__device__ uint64_t range_hits(const T* column, int32_t n_words, int64_t low, int64_t high) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  uint64_t own = 0;
  for (int32_t word = 0; word < n_words; ++word) {
    const int64_t first = column[word * 64 + lane];
    const int64_t second = column[word * 64 + 32 + lane];
    const unsigned low_bits = __ballot_sync(0xffffffffu, low <= first && first <= high);
    const unsigned high_bits = __ballot_sync(0xffffffffu, low <= second && second <= high);
    if (lane == word) own = uint64_t{high_bits} << 32 | low_bits;
  }
  return own;
}

// A leaf on words [first_word, first_word + n_words); `word` is the lane's.
__device__ inline FilterPair leaf_pair(const FilterStep& step, const FilterIndexRef& index, int64_t first_word,
                                       int32_t n_words, int64_t word) {
  uint64_t hits = 0;
  switch (step.op) {
    case FilterOp::kAll: hits = kAllRows; break;
    case FilterOp::kSlice: hits = index.slices[step.arg * index.words + word]; break;
    case FilterOp::kBloom: return {0, bloom_hits(index, static_cast<uint64_t>(step.lo), word)};
    case FilterOp::kRange32:
      hits = range_hits(index.columns32 + step.arg * index.rows + first_word * 64, n_words, step.lo, step.hi);
      break;
    case FilterOp::kRange64:
      hits = range_hits(index.columns64 + step.arg * index.rows + first_word * 64, n_words, step.lo, step.hi);
      break;
    default: break;
  }
  return {hits, hits};
}

// Lane i gets the pair of word first_word + i, for i < n_words <= 32; the other lanes get that of the last word. Not yet
// ANDed with live.
__device__ inline FilterPair evaluate_words(const WarpPlan& plan, const FilterIndexRef& index, FilterStack stack,
                                            int64_t first_word, int32_t n_words) {
  const int32_t lane = static_cast<int32_t>(threadIdx.x % 32);
  const int64_t word = first_word + (lane < n_words ? lane : n_words - 1);
  for (int32_t i = 0; i < plan.n_steps; ++i) {
    const FilterStep step = plan.steps[i];
    if (step.op == FilterOp::kNot) {
      stack.top = {~stack.top.hi, ~stack.top.lo};
    } else if (step.op == FilterOp::kRows) {
      const uint64_t rows = listed_rows(plan.steps + i, step.hi + 1, word);
      stack.top.lo |= rows;
      stack.top.hi |= rows;
      i += static_cast<int32_t>(step.hi);
    } else if (step.op == FilterOp::kAnd || step.op == FilterOp::kOr) {
      const FilterPair below = stack.pop_below();
      const bool both = step.op == FilterOp::kAnd;
      stack.top.lo = both ? stack.top.lo & below.lo : stack.top.lo | below.lo;
      stack.top.hi = both ? stack.top.hi & below.hi : stack.top.hi | below.hi;
    } else {
      stack.push(leaf_pair(step, index, first_word, n_words, word));
    }
    while (plan.links[i] > i && !__any_sync(0xffffffffu, stack.top.hi != 0)) i = plan.links[i];
  }
  return stack.top;
}

__device__ inline bool holds_term(const FilterIndexRef& index, int64_t row, int64_t term) {
  if (index.term_offsets == nullptr) return false;
  int64_t begin = index.term_offsets[row];
  const int64_t end = index.term_offsets[row + 1];
  if (begin < 0 || end < begin || end > index.n_terms) return false;
  int64_t above = end;
  while (begin < above) {
    const int64_t middle = (begin + above) / 2;
    (index.terms[middle] < term ? begin : above) = index.terms[middle] < term ? middle + 1 : middle;
  }
  return begin < end && index.terms[begin] == term;
}

__device__ inline bool leaf_holds(const FilterStep& step, const FilterIndexRef& index, int64_t row) {
  const auto within = [&](int64_t value) { return step.lo <= value && value <= step.hi; };
  switch (step.op) {
    case FilterOp::kAll: return true;
    case FilterOp::kSlice: return (index.slices[step.arg * index.words + row / 64] >> (row % 64) & 1) != 0;
    case FilterOp::kBloom: return holds_term(index, row, step.arg);
    case FilterOp::kRange32: return within(index.columns32[step.arg * index.rows + row]);
    case FilterOp::kRange64: return within(index.columns64[step.arg * index.rows + row]);
    default: return false;
  }
}

// A stack of one bit per entry, in registers for any depth: the newest is the lowest bit.
class BitStack {
 public:
  __device__ void push(bool value) {
#pragma unroll
    for (int w = kWords - 1; w > 0; --w) words_[w] = words_[w] << 1 | words_[w - 1] >> 63;
    words_[0] = words_[0] << 1 | (value ? 1u : 0u);
  }
  __device__ bool pop() {
    const bool value = top();
#pragma unroll
    for (int w = 0; w < kWords - 1; ++w) words_[w] = words_[w] >> 1 | words_[w + 1] << 63;
    words_[kWords - 1] >>= 1;
    return value;
  }
  __device__ bool top() const { return (words_[0] & 1) != 0; }
  __device__ void set_top(bool value) { words_[0] = (words_[0] & ~uint64_t{1}) | (value ? 1u : 0u); }

 private:
  static constexpr int kWords = (kMaxFilterStack + 63) / 64;
  uint64_t words_[kWords] = {};
};

// Whether a plan holds for a row, by its exact terms; all lanes take part, each with its own row or none.
__device__ inline bool evaluate_row(const WarpPlan& plan, const FilterIndexRef& index, int64_t row, bool active) {
  BitStack stack;
  for (int32_t i = 0; i < plan.n_steps; ++i) {
    const FilterStep step = plan.steps[i];
    if (step.op == FilterOp::kNot) {
      stack.set_top(!stack.top());
    } else if (step.op == FilterOp::kRows) {
      const uint64_t rows = active ? listed_rows(plan.steps + i, step.hi + 1, row / 64) : 0;
      stack.set_top(stack.top() || (rows >> (row % 64) & 1) != 0);
      i += static_cast<int32_t>(step.hi);
    } else if (step.op == FilterOp::kAnd || step.op == FilterOp::kOr) {
      const bool right = stack.pop();
      stack.set_top(step.op == FilterOp::kAnd ? stack.top() && right : stack.top() || right);
    } else {
      stack.push(active && leaf_holds(step, index, row));
    }
    while (plan.links[i] > i && !__any_sync(0xffffffffu, active && stack.top())) {
      stack.set_top(false);
      i = plan.links[i];
    }
  }
  return active && plan.n_steps > 0 && stack.top();
}

// Which of the rows `doubtful` of the lane's word first_word + lane match. Doubtful rows are few and scattered, so the warp
// lists them and gives every lane one.
__device__ inline uint64_t resolve_words(const WarpPlan& plan, const FilterIndexRef& index, FilterRows& memory,
                                         int64_t first_word, uint64_t doubtful) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int inclusive = warp_inclusive_sum(__popcll(doubtful));
  const int total = __shfl_sync(0xffffffffu, inclusive, 31);
  if (total == 0) return 0;
  uint16_t* rows = memory.rows[warp];
  uint32_t* found = memory.found[warp];
  int at = inclusive - __popcll(doubtful);
  for (uint64_t rest = doubtful; rest != 0; rest &= rest - 1) {
    rows[at++] = static_cast<uint16_t>(lane * 64 + __ffsll(static_cast<long long>(rest)) - 1);
  }
  found[2 * lane] = 0;
  found[2 * lane + 1] = 0;
  __syncwarp();
  for (int first = 0; first < total; first += 32) {
    const bool active = first + lane < total;
    const int row = active ? rows[first + lane] : 0;
    if (evaluate_row(plan, index, first_word * 64 + row, active)) atomicOr(&found[row / 32], 1u << (row % 32));
  }
  __syncwarp();
  const uint64_t result = uint64_t{found[2 * lane + 1]} << 32 | found[2 * lane];
  __syncwarp();
  return result;
}

}  // namespace silverlode::cuda
