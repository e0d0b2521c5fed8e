// Candidates (ops/candidates.h) as rows of what rerankers multiply, a step at a time: so many rows that their intermediate
// results stay in the second-level cache, of a few requests of few candidates or a part of one request.
#pragma once

#include <algorithm>

#include "backends/cuda/runtime.h"
#include "ops/candidates.h"

namespace silverlode::cuda {

// Candidates [begin, begin + candidates) of requests [first, first + requests).
struct Span {
  int64_t first, requests, begin, candidates;

  constexpr int64_t rows() const { return requests * candidates; }
  // Which of all candidates, `per_request` each, a row of the span is.
  constexpr int64_t candidate(int64_t row, int64_t per_request) const {
    return (first + row / candidates) * per_request + begin + row % candidates;
  }
};

// Most of each that a step has, whatever the run.
struct StepLimits {
  int64_t rows;  // a multiple of kStepTile
  int64_t requests;
};
constexpr int64_t kStepTile = 128;

// Rows of a step with `row_bytes` of intermediate results each.
int64_t step_rows(const Runtime& device, int64_t row_bytes);

// Calls body(span) for the steps of a run that has candidates, a request's parts one after another.
template <class Body>
Status for_each_step(const Candidates& all, const StepLimits& limits, Body body) {
  const int64_t requests = std::clamp<int64_t>(limits.rows / all.candidates, 1, std::min(limits.requests, all.batch));
  // Parts of equal size, so that there are few shapes of products.
  const int64_t parts = (all.candidates + limits.rows - 1) / limits.rows;
  const int64_t part = ((all.candidates + parts - 1) / parts + kStepTile - 1) / kStepTile * kStepTile;
  for (int64_t first = 0; first < all.batch; first += requests) {
    for (int64_t begin = 0; begin < all.candidates; begin += part) {
      const Span span = {first, std::min(requests, all.batch - first), begin, std::min(part, all.candidates - begin)};
      const Status status = body(span);
      if (!status.ok()) return status;
    }
  }
  return ok_status();
}

// Raises where an index of a present candidate is out of range.
Status check_candidate_indices(const Runtime& device, const char* op, const Candidates& candidates);

// Where x = [i, f] of candidates goes: `width` elements a row, x and then zeros. `split` stores halves in pairs: behind them
// come as many that hold what was rounded off, so that the sum of both is x to twice the digits of a half.
struct CandidateRows {
  void* data;
  DType dtype;
  int64_t pitch;
  int64_t width;
  bool split;
};

// Zeros for a missing candidate.
Status gather_candidates(const Runtime& device, const Candidates& candidates, const Span& span,
                         const CandidateRows& rows);

// 0 for the logits [batch, m, tasks] of the span's missing candidates.
Status clear_missing(const Runtime& device, const Candidates& candidates, const Span& span, int64_t tasks,
                     float* logits);

}  // namespace silverlode::cuda
