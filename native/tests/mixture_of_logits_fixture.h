// Random mixtures for the tests of mixture_of_logits on both backends.
#pragma once

#include "ops/mixture_of_logits.h"
#include "tests/candidate_fixture.h"

namespace silverlode::tests {

struct MixtureCase : CandidateCase {
  int64_t user_components = 3, item_components = 4, component_dim = 20, tasks = 2;
  DType weights = DType::kF32;
  bool with_bias = true, with_cross_gate = true;
  double temperature = 0.5;

  int64_t pairs() const { return user_components * item_components; }
  int64_t gates() const { return tasks * pairs(); }
};

// All inputs of one call, kept alive.
struct MixtureCall : RandomCandidates {
  explicit MixtureCall(const MixtureCase& given, uint32_t seed)
      : RandomCandidates(given, seed),
        c(given),
        user(random_tensor({c.batch, c.user_components, c.component_dim}, seed + 10, DType::kF32, 0.2f)),
        user_gates(random_tensor({c.batch, c.tasks, c.pairs()}, seed + 11)),
        item(weight(c.item_components * c.component_dim, c.dim + c.n_features, seed + 12)),
        item_gate(weight(c.gates(), c.dim + c.n_features, seed + 13)),
        cross_gate(weight(c.gates(), c.pairs(), seed + 14)),
        item_bias(random_rows(item.shape.dim(0), 1, seed + 15)),
        gate_bias(random_rows(c.gates(), 1, seed + 16)) {}

  FloatTensor weight(int64_t out, int64_t in, uint32_t seed) const {
    return random_tensor({out, in}, seed, c.weights, 1.0f / std::sqrt(static_cast<float>(in)));
  }

  std::vector<TensorView> inputs() const {
    std::vector<TensorView> views = {user.view(), user_gates.view()};
    append_to(views);
    views.push_back(item.view());
    views.push_back(c.with_bias ? view_of(item_bias, {item.shape.dim(0)}) : TensorView{});
    views.push_back(item_gate.view());
    views.push_back(c.with_bias ? view_of(gate_bias, {c.gates()}) : TensorView{});
    if (c.with_cross_gate) views.push_back(cross_gate.view());
    return views;
  }

  Attributes attributes() const {
    Attributes values;
    values.values["temperature"] = c.temperature;
    return values;
  }

  MixtureCase c;
  FloatTensor user, user_gates, item, item_gate, cross_gate;
  std::vector<float> item_bias, gate_bias;
};

}  // namespace silverlode::tests
