// Formulas and the data that they read, for the tests of value_model on every backend.
#pragma once

#include <cmath>
#include <limits>
#include <random>

#include "ops/value_model.h"
#include "tests/dense_harness.h"

namespace silverlode::tests {

struct Formula {
  std::vector<int32_t> steps;
  std::vector<float> constants = {1.0f, 0.1f, 24.0f, -2.0f};

  Formula& push(ValueOp op, int32_t argument = 0) {
    steps.push_back(static_cast<int32_t>(op));
    steps.push_back(argument);
    return *this;
  }
};

struct Data {
  Data(int64_t n_batch, int64_t n_candidates, uint32_t seed)
      : batch(n_batch),
        candidates(n_candidates),
        logits(random_rows(batch * candidates, 3, seed)),
        scores(random_rows(batch, candidates, seed + 1)),
        columns(random_rows(50, 4, seed + 2)),
        weights(random_rows(batch, 2, seed + 3)) {
    std::mt19937 random(seed + 4);
    for (int64_t i = 0; i < batch * candidates; ++i) {
      ordinals.push_back(random() % 7 == 0 ? -1 : static_cast<int32_t>(random() % 50));
    }
    if (!logits.empty()) logits[0] = std::numeric_limits<float>::infinity();
    if (logits.size() > 9) logits[4] = -0.0f, logits[8] = std::nanf("");
  }

  std::vector<TensorView> inputs(const Formula& formula) const {
    return {view_of(logits, {batch, candidates, 3}),
            view_of(scores, {batch, candidates}),
            view_of(ordinals, {batch, candidates}),
            view_of(columns, {50, 4}),
            view_of(weights, {batch, 2}),
            view_of(formula.steps, {static_cast<int64_t>(formula.steps.size()) / 2, 2}),
            view_of(formula.constants, {static_cast<int64_t>(formula.constants.size())})};
  }

  int64_t batch, candidates;
  std::vector<float> logits, scores, columns, weights;
  std::vector<int32_t> ordinals;
};

}  // namespace silverlode::tests
