// The mixture against its contract (bit for bit) and against the definition in float64.
#include "ops/mixture_of_logits.h"

#include "backends/cpu/simd/vec_serial.h"
#include "backends/math/math.h"
#include "tests/mixture_of_logits_fixture.h"

namespace silverlode::tests {
namespace {

float fma_chain(const float* a, const float* b, size_t n) {
  float sum = 0;
  for (size_t k = 0; k < n; ++k) sum = std::fma(a[k], b[k], sum);
  return sum;
}

// Sixteen chains added in halves.
float add_chains(std::vector<float> chains) {
  for (size_t step = 8; step > 0; step /= 2) {
    for (size_t i = 0; i < step; ++i) chains[i] += chains[i + step];
  }
  return chains[0];
}

float exp_of_backend(float x) { return math::exp(cpu::VecSerial(x)).v; }

float softmax_mean(const std::vector<float>& gates, const std::vector<float>& scores) {
  const float top = *std::max_element(gates.begin(), gates.end());
  std::vector<float> total(16), weighted(16);
  for (size_t c = 0; c < gates.size(); ++c) {
    const float e = exp_of_backend(gates[c] - top);
    total[c % 16] += e;
    weighted[c % 16] = std::fma(e, scores[c], weighted[c % 16]);
  }
  return add_chains(weighted) / add_chains(total);
}

// The scores s of a candidate as the contract says.
std::vector<float> contract_scores(const MixtureCall& in, int64_t request, const std::vector<float>& x) {
  const MixtureCase& c = in.c;
  std::vector<float> scores(static_cast<size_t>(c.pairs()));
  for (int64_t q = 0; q < c.item_components; ++q) {
    std::vector<float> g, squares(16);
    for (int64_t k = 0; k < c.component_dim; ++k) {
      const int64_t out = q * c.component_dim + k;
      float value = fma_chain(x.data(), in.item.values.data() + out * static_cast<int64_t>(x.size()), x.size());
      if (c.with_bias) value += in.item_bias[static_cast<size_t>(out)];
      g.push_back(value);
      squares[static_cast<size_t>(k % 16)] = std::fma(value, value, squares[static_cast<size_t>(k % 16)]);
    }
    const float norm = std::sqrt(add_chains(squares));
    const float factor = norm == 0 ? 0.0f : 1.0f / (norm * static_cast<float>(c.temperature));
    for (int64_t p = 0; p < c.user_components; ++p) {
      const float* f = in.user.values.data() + (request * c.user_components + p) * c.component_dim;
      scores[static_cast<size_t>(p * c.item_components + q)] = fma_chain(f, g.data(), g.size()) * factor;
    }
  }
  return scores;
}

std::vector<float> contract(const MixtureCall& in) {
  const MixtureCase& c = in.c;
  std::vector<float> logits;
  for (int64_t candidate = 0; candidate < c.batch * c.candidates; ++candidate) {
    if (in.missing(candidate)) {
      logits.insert(logits.end(), static_cast<size_t>(c.tasks), 0.0f);
      continue;
    }
    const int64_t request = candidate / c.candidates;
    const std::vector<float> x = in.item_input(candidate);
    const std::vector<float> scores = contract_scores(in, request, x);
    for (int64_t t = 0; t < c.tasks; ++t) {
      std::vector<float> gates;
      for (int64_t out = t * c.pairs(); out < (t + 1) * c.pairs(); ++out) {
        float sum = fma_chain(x.data(), in.item_gate.values.data() + out * static_cast<int64_t>(x.size()), x.size());
        for (size_t k = 0; c.with_cross_gate && k < scores.size(); ++k) {
          sum = std::fma(scores[k], in.cross_gate.values[static_cast<size_t>(out * c.pairs()) + k], sum);
        }
        const float own = in.user_gates.values[static_cast<size_t>(request * c.gates() + out)];
        gates.push_back(sum + (c.with_bias ? own + in.gate_bias[static_cast<size_t>(out)] : own));
      }
      logits.push_back(softmax_mean(gates, scores));
    }
  }
  return logits;
}

// The definition: x W^T + b of one output in float64.
double affine(const std::vector<double>& x, const FloatTensor& weight, int64_t out, double bias) {
  const int64_t n = static_cast<int64_t>(x.size());
  for (int64_t k = 0; k < n; ++k) bias += weight[out * n + k] * x[static_cast<size_t>(k)];
  return bias;
}

std::vector<double> definition(const MixtureCall& in) {
  const MixtureCase& c = in.c;
  std::vector<double> logits;
  for (int64_t candidate = 0; candidate < c.batch * c.candidates; ++candidate) {
    if (in.missing(candidate)) {
      logits.insert(logits.end(), static_cast<size_t>(c.tasks), 0.0);
      continue;
    }
    const int64_t request = candidate / c.candidates;
    const std::vector<float> row = in.item_input(candidate);
    const std::vector<double> x(row.begin(), row.end());
    std::vector<double> scores(static_cast<size_t>(c.pairs()));
    for (int64_t q = 0; q < c.item_components; ++q) {
      std::vector<double> dots(static_cast<size_t>(c.user_components));
      double squares = 0;
      for (int64_t k = 0; k < c.component_dim; ++k) {
        const int64_t out = q * c.component_dim + k;
        const double g = affine(x, in.item, out, c.with_bias ? in.item_bias[static_cast<size_t>(out)] : 0);
        squares += g * g;
        for (int64_t p = 0; p < c.user_components; ++p) {
          dots[static_cast<size_t>(p)] += g * in.user[(request * c.user_components + p) * c.component_dim + k];
        }
      }
      for (int64_t p = 0; p < c.user_components; ++p) {
        scores[static_cast<size_t>(p * c.item_components + q)] =
            dots[static_cast<size_t>(p)] / std::sqrt(squares) / c.temperature;
      }
    }
    for (int64_t t = 0; t < c.tasks; ++t) {
      double total = 0, weighted = 0;
      for (int64_t pair = 0; pair < c.pairs(); ++pair) {
        const int64_t out = t * c.pairs() + pair;
        double gate = affine(x, in.item_gate, out, c.with_bias ? in.gate_bias[static_cast<size_t>(out)] : 0);
        if (c.with_cross_gate) gate = affine(scores, in.cross_gate, out, gate);
        const double e = std::exp(gate + in.user_gates[request * c.gates() + out]);
        total += e;
        weighted += e * scores[static_cast<size_t>(pair)];
      }
      logits.push_back(weighted / total);
    }
  }
  return logits;
}

void check_case(const MixtureCase& c, uint32_t seed) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed << " " << dtype_name(c.embeddings));
  const MixtureCall in(c, seed);
  const OpEntry<MixtureOfLogits::Args> entry = cpu::entry<MixtureOfLogits>();
  const Result result = run_op_everywhere<MixtureOfLogits>(entry, in.attributes(), in.inputs());
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  const Result prepared =
      run_op_everywhere<MixtureOfLogits>(PreparedEntry<MixtureOfLogits::Args>(entry), in.attributes(), in.inputs());
  EXPECT_EQ(result.outputs, prepared.outputs);
  EXPECT_EQ(result.as<float>(0), contract(in));
  expect_close(result.as<float>(0), definition(in), 1e-4);
}

TEST(MixtureOfLogits, EmbeddingAndWeightKinds) {
  for (DType embeddings : {DType::kI8, DType::kF16, DType::kF32}) {
    for (DType weights : {DType::kF32, DType::kF16, DType::kBF16}) {
      MixtureCase c;
      c.embeddings = embeddings;
      c.weights = weights;
      check_case(c, 1);
    }
  }
}

TEST(MixtureOfLogits, RandomMixtures) {
  const uint32_t seed = 2306;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 16; ++i) {
    MixtureCase c;
    c.batch = 1 + random() % 5;
    c.dim = 1 + random() % 40;
    c.candidates = 1 + random() % 300;
    c.n_features = i % 3 == 0 ? 0 : 1 + random() % 9;
    c.user_components = 1 + random() % 9;
    c.item_components = 1 + random() % 9;
    c.component_dim = 1 + random() % 40;
    c.tasks = 1 + random() % 4;
    c.embeddings = i % 2 == 0 ? DType::kI8 : DType::kF32;
    c.with_bias = random() % 3 != 0;
    c.with_cross_gate = random() % 3 != 0;
    c.missing_of_ten = static_cast<int>(random() % 11);
    c.temperature = 0.2 * static_cast<double>(1 + random() % 9);
    check_case(c, static_cast<uint32_t>(random()));
  }
}

TEST(MixtureOfLogits, MoreUserComponentsThanAPanelHolds) {
  MixtureCase c;
  c.user_components = 35;
  c.item_components = 2;
  check_case(c, 3);
}

TEST(MixtureOfLogits, RefusesIndicesOutOfRange) {
  for (int which = 0; which < 4; ++which) {
    MixtureCall in(MixtureCase{}, 5);
    in.index[100] = in.feature_index[100] = 0;
    if (which == 0) in.index[100] = 40;
    if (which == 1) in.index[100] = -2;
    if (which == 2) in.feature_index[100] = 40;
    if (which == 3) in.feature_index[100] = -1;
    const Result result = run_op<MixtureOfLogits>(cpu::entry<MixtureOfLogits>(), in.attributes(), in.inputs());
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_EQ(result.outputs[0], std::vector<uint8_t>(result.outputs[0].size(), 0xa5)) << "written before validation";
  }
}

TEST(MixtureOfLogits, StopsWhenCancelled) {
  const MixtureCall in(MixtureCase{}, 6);
  const volatile uint32_t cancel = 1;
  const Result result =
      run_op<MixtureOfLogits>(cpu::entry<MixtureOfLogits>(), in.attributes(), in.inputs(), {.cancel = &cancel});
  EXPECT_EQ(result.status.code, Code::kAborted);
}

TEST(MixtureOfLogits, EmptyBatchAndNoCandidates) {
  for (bool no_requests : {true, false}) {
    MixtureCase c;
    (no_requests ? c.batch : c.candidates) = 0;
    const MixtureCall in(c, 7);
    const Result result = run_op<MixtureOfLogits>(cpu::entry<MixtureOfLogits>(), in.attributes(), in.inputs());
    EXPECT_TRUE(result.status.ok()) << result.status.text;
  }
}

TEST(MixtureOfLogits, SymbolicShapesAndBadInputs) {
  const MixtureCall in(MixtureCase{}, 8);
  const auto infer = [&](const std::function<void(std::vector<TensorView>&)>& change) {
    std::vector<TensorView> inputs = in.inputs();
    for (size_t i : {0, 1, 4, 6}) inputs[i].shape.dim(0) = -1;
    inputs[4].shape.dim(1) = inputs[6].shape.dim(1) = -2;
    change(inputs);
    OutputSpecs outputs;
    const Status status = MixtureOfLogits::infer({}, {}, inputs, outputs);
    EXPECT_TRUE(!status.ok() || outputs.shapes[0] == (Shape{-1, -2, 2}));
    return status.code;
  };
  EXPECT_EQ(infer([](auto&) {}), Code::kOk);
  EXPECT_EQ(infer([](auto& views) { views.pop_back(); }), Code::kOk);
  EXPECT_EQ(infer([](auto& views) { views.resize(10); }), Code::kOk);
  EXPECT_EQ(infer([](auto& views) { views.resize(9); }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& views) { views.push_back({}); }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& views) { views[3] = {}; }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& views) { views[6] = {}; }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& views) { views[0].shape.dim(1) = -3; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[1].shape.dim(0) = -3; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[1].shape.dim(2) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[2].shape.dim(1) = 8; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[7].shape.dim(0) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[7].shape.dim(1) = 5; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[8].shape.dim(0) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[9].shape.dim(1) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& views) { views[11].dtype = DType::kI8; }), Code::kUnsupportedDtype);
}

TEST(MixtureOfLogits, RefusesTemperaturesThatAreNotPositive) {
  for (double bad : {0.0, -1.0, 1e-60, 1e60, std::nan("")}) {
    Attributes attributes;
    attributes.values["temperature"] = bad;
    MixtureOfLogits::Params params;
    EXPECT_EQ(MixtureOfLogits::parse(attributes, params).code, Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace silverlode::tests
