// The folded network against its contract (bit for bit) and against the plain network over concatenated pairs.
#include "ops/over_arch.h"

#include "tests/candidate_fixture.h"

namespace silverlode::tests {
namespace {

struct Case : CandidateCase {
  int64_t heads = 2;
  std::vector<int64_t> widths = {48, 20, 3};
  DType weights = DType::kF32;
  Activation activation = Activation::kRelu;
  bool with_bias = true;
};

// All inputs of one call, kept alive.
struct Network : RandomCandidates {
  explicit Network(const Case& given, uint32_t seed)
      : RandomCandidates(given, seed), c(given), user(random_tensor({c.batch, c.heads, c.dim}, seed)) {
    int64_t in_dim = 2 * c.heads * c.dim + c.dim + c.n_features;
    for (int64_t width : c.widths) {
      const float scale = 1.0f / std::sqrt(static_cast<float>(in_dim));
      layers.push_back(random_tensor({width, in_dim}, ++seed + 10, c.weights, scale));
      biases.push_back(random_rows(width, 1, seed + 20));
      in_dim = width;
    }
  }

  std::vector<TensorView> inputs() const {
    std::vector<TensorView> views = {user.view()};
    append_to(views);
    for (size_t l = 0; l < layers.size(); ++l) {
      views.push_back(layers[l].view());
      views.push_back(c.with_bias ? view_of(biases[l], {c.widths[l]}) : TensorView{});
    }
    return views;
  }

  Attributes attributes() const {
    Attributes values;
    values.values["activation"] = std::string(activation_name(c.activation));
    return values;
  }

  float bias(size_t layer, int64_t n) const { return c.with_bias ? biases[layer][static_cast<size_t>(n)] : 0.0f; }

  Case c;
  FloatTensor user;
  std::vector<FloatTensor> layers;
  std::vector<std::vector<float>> biases;
};

// float64, no folding: [u, i, u_h * i, f] written out for every pair.
std::vector<double> plain_network(const Network& net) {
  const Case& c = net.c;
  std::vector<double> logits;
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t m = 0; m < c.candidates; ++m) {
      const int64_t candidate = b * c.candidates + m;
      if (net.missing(candidate)) {
        logits.insert(logits.end(), static_cast<size_t>(c.widths.back()), 0.0);
        continue;
      }
      std::vector<double> x;
      const int64_t user_dim = c.heads * c.dim;
      for (int64_t k = 0; k < user_dim; ++k) x.push_back(net.user[b * user_dim + k]);
      for (int64_t d = 0; d < c.dim; ++d) x.push_back(net.item(candidate, d));
      for (int64_t k = 0; k < user_dim; ++k) x.push_back(net.user[b * user_dim + k] * net.item(candidate, k % c.dim));
      for (int64_t f = 0; f < c.n_features; ++f) x.push_back(net.feature(candidate, f));
      for (size_t l = 0; l < c.widths.size(); ++l) {
        std::vector<double> y;
        for (int64_t n = 0; n < c.widths[l]; ++n) {
          double sum = net.bias(l, n);
          for (size_t k = 0; k < x.size(); ++k)
            sum += net.layers[l][n * static_cast<int64_t>(x.size()) + static_cast<int64_t>(k)] * x[k];
          y.push_back(l + 1 == c.widths.size() ? sum : activate_exactly(sum, c.activation));
        }
        x = y;
      }
      logits.insert(logits.end(), x.begin(), x.end());
    }
  }
  return logits;
}

// The contract of over_arch.h, operation by operation (activation relu).
std::vector<float> folded_network(const Network& net) {
  const Case& c = net.c;
  const int64_t user_dim = c.heads * c.dim, in_dim = 2 * user_dim + c.dim + c.n_features;
  std::vector<float> logits;
  for (int64_t b = 0; b < c.batch; ++b) {
    const float* user = net.user.values.data() + b * user_dim;
    std::vector<std::vector<float>> folded;
    std::vector<float> folded_bias;
    for (int64_t n = 0; n < c.widths[0]; ++n) {
      const float* weight = net.layers[0].values.data() + n * in_dim;
      float sum = 0;
      for (int64_t k = 0; k < user_dim; ++k) sum = std::fma(user[k], weight[k], sum);
      folded_bias.push_back(c.with_bias ? sum + net.bias(0, n) : sum);
      std::vector<float> row;
      for (int64_t d = 0; d < c.dim; ++d) {
        float value = weight[user_dim + d];
        for (int64_t h = 0; h < c.heads; ++h) {
          value = std::fma(weight[user_dim + c.dim + h * c.dim + d], user[h * c.dim + d], value);
        }
        row.push_back(value);
      }
      row.insert(row.end(), weight + in_dim - c.n_features, weight + in_dim);
      folded.push_back(row);
    }
    for (int64_t m = 0; m < c.candidates; ++m) {
      const int64_t candidate = b * c.candidates + m;
      if (net.missing(candidate)) {
        logits.insert(logits.end(), static_cast<size_t>(c.widths.back()), 0.0f);
        continue;
      }
      std::vector<float> x = net.item_input(candidate);
      for (size_t l = 0; l < c.widths.size(); ++l) {
        std::vector<float> y;
        for (int64_t n = 0; n < c.widths[l]; ++n) {
          const float* weight = l == 0 ? folded[static_cast<size_t>(n)].data()
                                       : net.layers[l].values.data() + n * static_cast<int64_t>(x.size());
          float sum = 0;
          for (size_t k = 0; k < x.size(); ++k) sum = std::fma(x[k], weight[k], sum);
          if (l == 0) sum += folded_bias[static_cast<size_t>(n)];
          if (l > 0 && c.with_bias) sum += net.bias(l, n);
          y.push_back(l + 1 < c.widths.size() && 0.0f > sum ? 0.0f : sum);
        }
        x = y;
      }
      logits.insert(logits.end(), x.begin(), x.end());
    }
  }
  return logits;
}

void check_case(const Case& c, uint32_t seed) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed << " " << dtype_name(c.embeddings));
  const Network net(c, seed);
  const OpEntry<OverArch::Args> entry = cpu::entry<OverArch>();
  const Result result = run_op_everywhere<OverArch>(entry, net.attributes(), net.inputs());
  ASSERT_TRUE(result.status.ok()) << result.status.text;
  const Result prepared =
      run_op_everywhere<OverArch>(PreparedEntry<OverArch::Args>(entry), net.attributes(), net.inputs());
  EXPECT_EQ(result.outputs, prepared.outputs);
  expect_close(result.as<float>(0), plain_network(net), 1e-4);
  if (c.activation == Activation::kRelu) {
    EXPECT_EQ(result.as<float>(0), folded_network(net));
  }
}

TEST(OverArch, EmbeddingKinds) {
  for (DType embeddings : {DType::kI8, DType::kF16, DType::kF32}) {
    for (DType weights : {DType::kF32, DType::kF16, DType::kBF16}) {
      Case c;
      c.embeddings = embeddings;
      c.weights = weights;
      check_case(c, 1);
    }
  }
}

TEST(OverArch, Activations) {
  for (Activation activation : {Activation::kNone, Activation::kGelu, Activation::kSilu, Activation::kTanh}) {
    Case c;
    c.activation = activation;
    check_case(c, 2);
  }
}

TEST(OverArch, RandomNetworks) {
  const uint32_t seed = 4242;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 12; ++i) {
    Case c;
    c.batch = 1 + random() % 5;
    c.heads = 1 + random() % 4;
    c.dim = 1 + random() % 40;
    c.candidates = 1 + random() % 300;
    c.n_features = i % 3 == 0 ? 0 : 1 + random() % 9;
    c.widths.clear();
    for (int l = static_cast<int>(random() % 4); l >= 0; --l) c.widths.push_back(1 + random() % 50);
    c.embeddings = i % 2 == 0 ? DType::kI8 : DType::kF32;
    c.with_bias = random() % 3 != 0;
    c.missing_of_ten = static_cast<int>(random() % 11);
    check_case(c, static_cast<uint32_t>(random()));
  }
}

TEST(OverArch, ManyRequestsInSeveralGroups) {
  Case c;
  c.batch = 80;
  c.candidates = 6;
  check_case(c, 3);
}

TEST(OverArch, WideLayersUseSmallChunks) {
  Case c;
  c.batch = 1;
  c.candidates = 90;
  c.widths = {2100, 2};
  check_case(c, 4);
}

TEST(OverArch, RefusesIndicesOutOfRange) {
  for (int which = 0; which < 4; ++which) {
    Network net(Case{}, 5);
    net.index[100] = net.feature_index[100] = 0;
    if (which == 0) net.index[100] = 40;
    if (which == 1) net.index[100] = -2;
    if (which == 2) net.feature_index[100] = 40;
    if (which == 3) net.feature_index[100] = -1;
    const Result result = run_op<OverArch>(cpu::entry<OverArch>(), net.attributes(), net.inputs());
    EXPECT_EQ(result.status.code, Code::kInvalidArgument);
    EXPECT_EQ(result.outputs[0], std::vector<uint8_t>(result.outputs[0].size(), 0xa5)) << "written before validation";
  }
}

TEST(OverArch, StopsWhenCancelled) {
  const Network net(Case{}, 6);
  const volatile uint32_t cancel = 1;
  const Result result = run_op<OverArch>(cpu::entry<OverArch>(), net.attributes(), net.inputs(), {.cancel = &cancel});
  EXPECT_EQ(result.status.code, Code::kAborted);
}

TEST(OverArch, EmptyBatchAndNoCandidates) {
  for (bool no_requests : {true, false}) {
    Case c;
    (no_requests ? c.batch : c.candidates) = 0;
    const Network net(c, 7);
    const Result result = run_op<OverArch>(cpu::entry<OverArch>(), net.attributes(), net.inputs());
    EXPECT_TRUE(result.status.ok()) << result.status.text;
  }
}

TEST(OverArch, SymbolicShapesAndBadInputs) {
  const Network net(Case{}, 8);
  const auto infer = [&](const std::function<void(std::vector<TensorView>&)>& change) {
    std::vector<TensorView> inputs = net.inputs();
    inputs[0].shape.dim(0) = inputs[3].shape.dim(0) = inputs[5].shape.dim(0) = -1;
    inputs[3].shape.dim(1) = inputs[5].shape.dim(1) = -2;
    change(inputs);
    OutputSpecs outputs;
    const Status status = OverArch::infer({}, {}, inputs, outputs);
    EXPECT_TRUE(!status.ok() || outputs.shapes[0] == (Shape{-1, -2, 3}));
    return status.code;
  };
  EXPECT_EQ(infer([](auto&) {}), Code::kOk);
  EXPECT_EQ(infer([](auto& in) { in.pop_back(); }), Code::kOk);
  EXPECT_EQ(infer([](auto& in) { in.resize(6); }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& in) { in[2] = {}; }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& in) { in[5] = {}; }), Code::kInvalidArgument);
  EXPECT_EQ(infer([](auto& in) { in[1].shape.dim(1) = 8; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[1].dtype = DType::kBF16; }), Code::kUnsupportedDtype);
  EXPECT_EQ(infer([](auto& in) { in[6].shape.dim(1) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[8].shape.dim(1) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[9].shape.dim(0) += 1; }), Code::kShapeMismatch);
  EXPECT_EQ(infer([](auto& in) { in[3].shape.dim(0) = -3; }), Code::kShapeMismatch);
}

}  // namespace
}  // namespace silverlode::tests
