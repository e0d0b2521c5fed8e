#include "backends/cpu/filter_words.h"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace silverlode::cpu {

namespace {

// Word counts are a type N: either a number, or the constant of a whole block, whose loops then unroll.
using WholeBlock = std::integral_constant<int64_t, kBlockWords>;

template <class N>
void fill(uint64_t* words, N n, uint64_t value) {
  for (int64_t i = 0; i < n; ++i) words[i] = value;
}

// Not std::copy, which calls into the C library for 64 bytes.
template <class N>
void copy(const uint64_t* from, N n, uint64_t* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

template <class N>
bool empty(const uint64_t* words, N n) {
  uint64_t any = 0;
  for (int64_t i = 0; i < n; ++i) any |= words[i];
  return any == 0;
}

template <class N>
void bloom_hits(const FilterIndexRef& index, uint64_t hash, int64_t word, N n, uint64_t* hits) {
  const BloomBlock block = bloom_block(index, word / kBlockWords);
  if (block.width == 0) return fill(hits, n, 0);
  const uint64_t* words = block.words + word % kBlockWords;
  fill(hits, n, ~uint64_t{0});
  for (int32_t j = 0; j < index.hashes; ++j) {
    const uint64_t* position = words + bloom_position(hash, j, block.width) * kBlockWords;
    for (int64_t i = 0; i < n; ++i) hits[i] &= position[i];
  }
}

// A leaf that needs no row's exact terms.
template <class N>
void exact_leaf(const FilterStep& step, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word, N n,
                uint64_t* matches) {
  const int64_t row = word * 64;
  switch (step.op) {
    case FilterOp::kAll: return fill(matches, n, ~uint64_t{0});
    case FilterOp::kSlice: return copy(index.slices + step.arg * index.words + word, n, matches);
    case FilterOp::kRange32: {
      if (step.lo > INT32_MAX || step.hi < INT32_MIN) return fill(matches, n, 0);
      const auto clamp = [](int64_t bound) {
        return static_cast<int32_t>(std::clamp<int64_t>(bound, INT32_MIN, INT32_MAX));
      };
      const int32_t* column = index.columns32 + step.arg * index.rows + row;
      return kernels.range32(column, n, clamp(step.lo), clamp(step.hi), matches);
    }
    case FilterOp::kRange64: {
      const int64_t* column = index.columns64 + step.arg * index.rows + row;
      return kernels.range64(column, n, step.lo, step.hi, matches);
    }
    default: return fill(matches, n, 0);
  }
}

bool holds_term(const FilterIndexRef& index, int64_t row, int64_t term) {
  if (index.term_offsets == nullptr) return false;
  const int64_t begin = index.term_offsets[row];
  const int64_t end = index.term_offsets[row + 1];
  if (begin < 0 || end < begin || end > index.n_terms) return false;
  return std::binary_search(index.terms + begin, index.terms + end, static_cast<int32_t>(term));
}

void link_plan(const FilterStep* steps, int32_t n_steps, int32_t* links) {
  int32_t starts[kMaxFilterStack];  // first step of every value on the stack
  int32_t depth = 0;
  for (int32_t i = 0; i < n_steps; ++i) {
    links[i] = 0;
    const FilterOp op = steps[i].op;
    if (op == FilterOp::kAnd || op == FilterOp::kOr) {
      --depth;
      if (op == FilterOp::kAnd) links[starts[depth] - 1] = i;
    } else if (op != FilterOp::kNot && op != FilterOp::kRows) {
      starts[depth++] = i;
    }
  }
}

template <class N>
void evaluate(const FilterPlan& plan, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word, N n,
              FilterWords& result) {
  if (plan.n_steps == 0) {
    fill(result.lo, n, 0);
    return fill(result.hi, n, 0);
  }
  FilterWords stack[kMaxFilterStack];
  FilterWords* top = stack - 1;
  for (int32_t i = 0; i < plan.n_steps; ++i) {
    const FilterStep& step = plan.steps[i];
    switch (step.op) {
      case FilterOp::kNot:
        for (int64_t w = 0; w < n; ++w) {
          const uint64_t lo = top->lo[w];
          top->lo[w] = ~top->hi[w];
          top->hi[w] = ~lo;
        }
        break;
      case FilterOp::kAnd:
        --top;
        for (int64_t w = 0; w < n; ++w) {
          top->lo[w] &= top[1].lo[w];
          top->hi[w] &= top[1].hi[w];
        }
        break;
      case FilterOp::kOr:
        --top;
        for (int64_t w = 0; w < n; ++w) {
          top->lo[w] |= top[1].lo[w];
          top->hi[w] |= top[1].hi[w];
        }
        break;
      case FilterOp::kRows: {
        const int64_t run = step.hi + 1;
        for (int64_t at = find_in_run(&step, run, word); at < run && (&step)[at].arg < word + n; ++at) {
          const auto rows = static_cast<uint64_t>((&step)[at].lo);
          top->lo[(&step)[at].arg - word] |= rows;
          top->hi[(&step)[at].arg - word] |= rows;
        }
        i += static_cast<int32_t>(step.hi);
        break;
      }
      case FilterOp::kBloom:
        ++top;
        bloom_hits(index, static_cast<uint64_t>(step.lo), word, n, top->hi);
        fill(top->lo, n, 0);
        break;
      default:
        ++top;
        exact_leaf(step, index, kernels, word, n, top->hi);
        copy(top->hi, n, top->lo);
    }
    while (plan.links[i] > i && empty(top->hi, n)) i = plan.links[i];
  }
  copy(top->lo, n, result.lo);
  copy(top->hi, n, result.hi);
}

}  // namespace

void link_filter_plans(const FilterPlansRef& plans, int32_t* links) {
  for (int64_t plan = 0; plan < plans.plans; ++plan) {
    const int32_t begin = plans.offsets[plan];
    link_plan(plans.steps + begin, plans.offsets[plan + 1] - begin, links + begin);
  }
}

void evaluate_words(const FilterPlan& plan, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word,
                    int64_t n, FilterWords& result) {
  if (n == kBlockWords) return evaluate(plan, index, kernels, word, WholeBlock{}, result);
  evaluate(plan, index, kernels, word, n, result);
}

uint64_t resolve_word(const FilterPlan& plan, const FilterIndexRef& index, const FilterKernels& kernels, int64_t word,
                      uint64_t doubtful) {
  if (doubtful == 0 || plan.n_steps == 0) return 0;
  uint64_t stack[kMaxFilterStack];
  uint64_t* top = stack - 1;
  for (int32_t i = 0; i < plan.n_steps; ++i) {
    const FilterStep& step = plan.steps[i];
    switch (step.op) {
      case FilterOp::kNot: *top = ~*top; break;
      case FilterOp::kRows:
        *top |= listed_rows(&step, step.hi + 1, word);
        i += static_cast<int32_t>(step.hi);
        break;
      case FilterOp::kAnd:
        --top;
        top[0] &= top[1];
        break;
      case FilterOp::kOr:
        --top;
        top[0] |= top[1];
        break;
      case FilterOp::kBloom:
        *++top = 0;
        for (uint64_t rest = doubtful; rest != 0; rest &= rest - 1) {
          const int bit = std::countr_zero(rest);
          if (holds_term(index, word * 64 + bit, step.arg)) *top |= uint64_t{1} << bit;
        }
        break;
      default: exact_leaf(step, index, kernels, word, int64_t{1}, ++top);
    }
    while (plan.links[i] > i && (*top & doubtful) == 0) {
      *top = 0;
      i = plan.links[i];
    }
  }
  return *top & doubtful;
}

}  // namespace silverlode::cpu
