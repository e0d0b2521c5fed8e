// A random ivf_search call, and what it must answer: row by row, rounds as the contract has them, everything sorted.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "ops/ivf_search.h"
#include "tests/filter_views.h"
#include "tests/ivf_probe_fixture.h"
#include "tests/op_harness.h"

namespace silverlode::filter_test {

constexpr double kTailUnit = 1048576.0;

struct SearchProblem {
  Problem probe;
  std::vector<int8_t> rows;
  std::vector<float> row_scales, row_bias;  // row_bias may be empty
  std::vector<int32_t> ordinals, limits, tail;
  std::vector<float> cluster_stats, allowed_misses;
  std::vector<float> query_offsets;  // may be empty
  int64_t k = 1, first_round = 1;

  int64_t n_rows() const { return static_cast<int64_t>(ordinals.size()); }
  float stat(int64_t row, int64_t cluster) const {
    return cluster_stats[static_cast<size_t>(row * probe.n_clusters() + cluster)];
  }

  SearchProblem single(int64_t r) const {
    SearchProblem one = *this;
    const auto at = static_cast<size_t>(r);
    one.probe = probe.single(r);
    one.limits = {limits[at]};
    one.allowed_misses = {allowed_misses[at]};
    if (!query_offsets.empty()) {
      one.query_offsets.assign(query_offsets.begin() + r * probe.heads, query_offsets.begin() + (r + 1) * probe.heads);
    }
    return one;
  }

  Attributes attributes() const {
    const char* const metrics[] = {"ip", "cosine", "l2"};
    Attributes attributes;
    attributes.values["metric"] = std::string(metrics[static_cast<int>(probe.metric)]);
    attributes.values["hashes"] = int64_t{probe.catalogue.hashes};
    attributes.values["k"] = k;
    attributes.values["first_round"] = first_round;
    return attributes;
  }

  // `call` holds what some of the views point to.
  std::vector<TensorView> inputs(const Call& call) const {
    const Problem& p = probe;
    const int64_t batch = p.batch();
    const int64_t clusters = p.n_clusters();
    std::vector<TensorView> inputs = {
        view_of(p.queries, DType::kI8, {batch, p.heads, p.dim}),
        view_of(p.query_scales, DType::kF32, {batch, p.heads}),
        query_offsets.empty() ? TensorView{} : view_of(query_offsets, DType::kF32, {batch, p.heads}),
        view_of(p.centroids, DType::kI8, {clusters, p.dim}),
        view_of(p.centroid_scales, DType::kF32, {clusters}),
        p.centroid_bias.empty() ? TensorView{} : view_of(p.centroid_bias, DType::kF32, {clusters}),
        view_of(p.cluster_begin, DType::kI32, {clusters + 1}),
        view_of(cluster_stats, DType::kF32, {5, clusters}),
        view_of(tail, DType::kI32, {256}),
        view_of(rows, DType::kI8, {n_rows(), p.dim}),
        view_of(row_scales, DType::kF32, {n_rows()}),
        row_bias.empty() ? TensorView{} : view_of(row_bias, DType::kF32, {n_rows()}),
        view_of(ordinals, DType::kI32, {n_rows()}),
        view_of(p.live, DType::kI64, {p.catalogue.words()}),
        view_of(limits, DType::kI32, {batch}),
        view_of(p.probes, DType::kI32, {batch}),
        view_of(allowed_misses, DType::kF32, {batch}),
        view_of(p.min_candidates, DType::kI32, {batch}),
        view_of(p.exact, DType::kI32, {batch}),
        view_of(p.plan_index, DType::kI32, {batch}),
        view_of(call.plans.offsets, DType::kI32, {static_cast<int64_t>(call.plans.offsets.size())}),
        view_of(call.plans.steps, DType::kI64, {static_cast<int64_t>(call.plans.steps.size()), 4}),
        view_of(call.exclude_offsets, DType::kI32, {batch}),
        view_of(call.exclude_rows, DType::kI32, {static_cast<int64_t>(call.exclude_rows.size())})};
    for (const TensorView& tensor : index_views(p.catalogue)) inputs.push_back(tensor);
    return inputs;
  }
};

inline cpu::OpResult search(const SearchProblem& problem, int32_t threads = 1,
                            cpu::SimdLevel level = cpu::best_simd_level(), const volatile uint32_t* cancel = nullptr) {
  const Call call(problem.probe);
  return cpu::run_op<IvfSearch>(cpu::entry<IvfSearch>(), problem.attributes(), problem.inputs(call), threads, level,
                                cancel);
}

struct SearchAnswer {
  std::vector<float> scores;
  std::vector<int32_t> ordinals, counts;
  std::vector<int64_t> stats;
  std::vector<float> misses;
};

// What a head knows of a cluster.
struct ReferenceCluster {
  int32_t cluster;
  RankKey rank;
  float expected, steepness;
};

inline float reference_distance(float score) { return -std::sqrt(score > 0 ? 0.0f : -score); }

inline std::vector<ReferenceCluster> reference_clusters(const SearchProblem& problem, int64_t query) {
  const Problem& p = problem.probe;
  const int8_t* q = p.queries.data() + query * p.dim;
  const float scale = p.query_scales[static_cast<size_t>(query)];
  int64_t squares = 0;
  for (int64_t d = 0; d < p.dim; ++d) squares += q[d] * q[d];
  const float norm = dequantized_norm(squares, scale);
  const bool l2 = p.metric == Metric::kL2;
  std::vector<ReferenceCluster> clusters;
  for (int64_t c = 0; c < p.n_clusters(); ++c) {
    int32_t dot = 0;
    for (int64_t d = 0; d < p.dim; ++d) dot += q[d] * p.centroids[static_cast<size_t>(c * p.dim + d)];
    float score = scaled_dot(dot, p.centroid_scales[static_cast<size_t>(c)], scale);
    if (!p.centroid_bias.empty()) score += p.centroid_bias[static_cast<size_t>(c)];
    if (l2) score = l2_score(score, norm);
    float expected = problem.stat(0, c) * score;
    expected += problem.stat(1, c);
    if (l2) expected = reference_distance(expected);
    float spread = problem.stat(2, c) * (l2 ? 1.0f : norm);
    spread = std::sqrt(l2 ? spread : spread + problem.stat(3, c));
    const float rank = expected + 2.0f * spread;
    const float steepness = 8.0f / spread;
    if (!(spread > 0)) expected -= std::fabs(expected) * 1e-6f + 1e-20f;
    clusters.push_back({static_cast<int32_t>(c), make_key(rank, static_cast<uint32_t>(c)), expected,
                        steepness < 1e30f ? steepness : 1e30f});
  }
  std::sort(clusters.begin(), clusters.end(),
            [](const ReferenceCluster& a, const ReferenceCluster& b) { return a.rank > b.rank; });
  return clusters;
}

inline RankKey reference_key(const SearchProblem& problem, int64_t query, int64_t row) {
  const Problem& p = problem.probe;
  const int8_t* q = p.queries.data() + query * p.dim;
  const float scale = p.query_scales[static_cast<size_t>(query)];
  int64_t squares = 0;
  int32_t dot = 0;
  for (int64_t d = 0; d < p.dim; ++d) {
    squares += q[d] * q[d];
    dot += q[d] * problem.rows[static_cast<size_t>(row * p.dim + d)];
  }
  float score = scaled_dot(dot, problem.row_scales[static_cast<size_t>(row)], scale);
  if (!problem.row_bias.empty()) score += problem.row_bias[static_cast<size_t>(row)];
  if (p.metric == Metric::kL2) score = l2_score(score, dequantized_norm(squares, scale));
  return make_key(score, static_cast<uint32_t>(problem.ordinals[static_cast<size_t>(row)]));
}

// One head of a request.
struct ReferenceHead {
  std::vector<RankKey> found;  // rows scored, best first
  std::vector<int32_t> seen, listed;
  double misses = 0;
};

inline ReferenceHead reference_head(const SearchProblem& problem, const std::vector<uint64_t>& eligible,
                                    int64_t query) {
  const Problem& p = problem.probe;
  const auto r = static_cast<size_t>(query / p.heads);
  const bool adaptive = problem.allowed_misses[r] >= 0;
  const int64_t nearest = adaptive ? 0 : std::clamp<int64_t>(p.probes[r], 0, p.n_clusters());
  const int64_t wanted = std::clamp<int64_t>(problem.limits[r], 0, problem.k);
  const std::vector<ReferenceCluster> clusters = reference_clusters(problem, query);
  const auto rows_of = [&](int64_t place) {
    return static_cast<int64_t>(problem.stat(4, clusters[static_cast<size_t>(place)].cluster));
  };
  ReferenceHead head;
  int64_t seen = 0, n_eligible = 0, n_rows = 0;
  int64_t end = problem.first_round;
  const int64_t all = p.n_clusters();
  for (bool done = false; !done && seen < all; end = seen + std::max<int64_t>(seen / 3, 1)) {
    const int64_t eligible_before = n_eligible, rows_before = n_rows;
    for (; seen < std::min(end, all) && !done; ++seen) {
      const int32_t c = clusters[static_cast<size_t>(seen)].cluster;
      const int64_t here = count_in(p, eligible, c);
      head.seen.push_back(c);
      n_eligible += here;
      n_rows += rows_of(seen);
      if (here > 0 || seen < nearest) head.listed.push_back(c);
      done = nearest > 0 && seen + 1 >= nearest && n_eligible >= p.min_candidates[r];
      const auto bounds = p.cluster_begin.begin() + c;
      for (int64_t row = bounds[0]; row < bounds[1] && wanted > 0; ++row) {
        if (bit(eligible.data(), row)) head.found.push_back(reference_key(problem, query, row));
      }
    }
    std::sort(head.found.rbegin(), head.found.rend());
    if (seen == all) head.misses = 0;
    if (!adaptive || seen == all) continue;
    if (wanted == 0) break;
    if (static_cast<int64_t>(head.found.size()) < wanted) continue;
    const float kth = key_score(head.found[static_cast<size_t>(wanted - 1)]);
    const float threshold = p.metric == Metric::kL2 ? reference_distance(kth) : kth;
    int64_t inside = 0, outside = 0;
    for (int64_t place = 0; place < all; ++place) {
      const ReferenceCluster& cluster = clusters[static_cast<size_t>(place)];
      const float step = (threshold - cluster.expected) * cluster.steepness;
      const auto entry = static_cast<size_t>(std::clamp(step + 32.0f, 0.0f, 255.0f));
      if (place < seen) inside += count_in(p, eligible, cluster.cluster) * problem.tail[entry];
      if (place >= seen) outside += rows_of(place) * problem.tail[entry];
    }
    const double expected = static_cast<double>(inside) / kTailUnit;
    const auto found = static_cast<double>(wanted);
    const double surprise = found > expected ? (found > 8 * expected ? 8.0 : found / expected) : 1.0;
    double share = 1;
    if (p.plan_index[r] >= 0) {
      const auto ratio = [](int64_t part, int64_t whole) {
        return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
      };
      share = std::max(ratio(n_eligible, n_rows), ratio(n_eligible - eligible_before, n_rows - rows_before));
      share = std::min(share, 1.0);
    }
    head.misses = static_cast<double>(outside) / kTailUnit * surprise * share;
    done = head.misses <= static_cast<double>(problem.allowed_misses[r]) && n_eligible >= p.min_candidates[r];
  }
  return head;
}

inline SearchAnswer reference(const SearchProblem& problem) {
  const Problem& p = problem.probe;
  SearchAnswer answer;
  for (int64_t r = 0; r < p.batch(); ++r) {
    const auto at = static_cast<size_t>(r);
    const bool filtered = p.plan_index[at] >= 0;
    const auto [lo, hi, eligible] = eligibility(p, r);
    const int64_t wanted = std::clamp<int64_t>(problem.limits[at], 0, problem.k);
    std::set<int32_t> seen, listed;
    int64_t scored = 0;
    double misses = 0;
    for (int64_t query = r * p.heads; query < (r + 1) * p.heads; ++query) {
      const ReferenceHead head = reference_head(problem, eligible, query);
      seen.insert(head.seen.begin(), head.seen.end());
      listed.insert(head.listed.begin(), head.listed.end());
      answer.counts.push_back(static_cast<int32_t>(head.listed.size()));
      scored += static_cast<int64_t>(head.found.size());
      misses += head.misses;
      for (int64_t i = 0; i < problem.k; ++i) {
        const bool real = i < wanted && i < static_cast<int64_t>(head.found.size());
        const RankKey key = real ? head.found[static_cast<size_t>(i)] : kEmptyKey;
        float score = real ? key_score(key) : -std::numeric_limits<float>::infinity();
        if (!problem.query_offsets.empty()) score += problem.query_offsets[static_cast<size_t>(query)];
        answer.scores.push_back(score);
        answer.ordinals.push_back(real ? static_cast<int32_t>(key_ordinal(key)) : -1);
      }
    }
    std::vector<int64_t> stats = {static_cast<int64_t>(listed.size()), 0, 0, 0, scored};
    for (int32_t c : listed) stats[1] += count_in(p, eligible, c);
    for (int32_t c : seen) {
      if (!filtered) continue;
      stats[2] += count_in(p, p.live, c);
      stats[3] += count_in(p, hi, c) - count_in(p, lo, c);
    }
    answer.stats.insert(answer.stats.end(), stats.begin(), stats.end());
    answer.misses.push_back(static_cast<float>(misses / static_cast<double>(p.heads)));
  }
  return answer;
}

inline SearchAnswer answer_of(const cpu::OpResult& result) {
  EXPECT_TRUE(result.status.ok()) << result.status.text;
  if (!result.status.ok()) return {};
  return {result.values<float>(0), result.values<int32_t>(1), result.values<int32_t>(2), result.values<int64_t>(3),
          result.values<float>(4)};
}

inline void expect_equal(const SearchAnswer& got, const SearchAnswer& expected) {
  ASSERT_EQ(got.counts, expected.counts);
  ASSERT_EQ(got.stats, expected.stats);
  ASSERT_EQ(got.misses, expected.misses);
  ASSERT_EQ(got.ordinals, expected.ordinals);
  ASSERT_EQ(got.scores, expected.scores);
}

// The share of a normal distribution above z, as tables are measured to be about.
inline std::vector<int32_t> normal_tail() {
  std::vector<int32_t> tail;
  for (int i = 0; i < 256; ++i) {
    tail.push_back(static_cast<int32_t>(kTailUnit / 2 * std::erfc((i - 32) / 8.0 / std::sqrt(2.0))));
  }
  return tail;
}

// A problem of ivf_probe, searched: some requests adaptive, some of fixed probes.
inline SearchProblem to_search(Random& random, const Problem& probe) {
  SearchProblem problem;
  problem.probe = probe;
  const int64_t n = probe.catalogue.rows;
  const int64_t queries = probe.batch() * probe.heads;
  for (int64_t i = 0; i < n * probe.dim; ++i) problem.rows.push_back(static_cast<int8_t>(pick(random, -3, 3)));
  for (int64_t i = 0; i < n; ++i) problem.row_scales.push_back(static_cast<float>(pick(random, 1, 3)) * 0.01f);
  if (probe.metric == Metric::kL2 || chance(random, 0.3)) {
    for (int64_t i = 0; i < n; ++i) problem.row_bias.push_back(static_cast<float>(pick(random, -9, 0)) * 0.001f);
  }
  for (int64_t i = 0; i < n; ++i) problem.ordinals.push_back(static_cast<int32_t>(i));
  std::shuffle(problem.ordinals.begin(), problem.ordinals.end(), random);
  problem.tail = normal_tail();
  problem.cluster_stats.resize(5 * static_cast<size_t>(probe.n_clusters()));
  for (int64_t c = 0; c < probe.n_clusters(); ++c) {
    const auto put = [&](int64_t row, double value) {
      problem.cluster_stats[static_cast<size_t>(row * probe.n_clusters() + c)] = static_cast<float>(value);
    };
    put(0, 0.8 + 0.1 * static_cast<double>(pick(random, 0, 4)));
    put(1, 0.0001 * static_cast<double>(pick(random, -3, 3)));
    put(2, chance(random, 0.2) ? 0 : 0.0001 * static_cast<double>(pick(random, 0, 5)));
    put(3, chance(random, 0.5) ? 0 : 1e-6 * static_cast<double>(pick(random, 0, 5)));
    put(4, static_cast<double>(count_in(probe, probe.live, static_cast<int32_t>(c)) + pick(random, 0, 3)));
  }
  const float allowed[] = {0.0f, 0.01f, 0.5f, 3.0f, 1e9f, -1.0f};
  for (int64_t r = 0; r < probe.batch(); ++r) {
    problem.limits.push_back(static_cast<int32_t>(pick(random, -1, 70)));
    problem.allowed_misses.push_back(allowed[pick(random, 0, 5)]);
  }
  if (chance(random, 0.5)) {
    for (int64_t i = 0; i < queries; ++i)
      problem.query_offsets.push_back(static_cast<float>(pick(random, -3, 3)) * 0.1f);
  }
  problem.k = pick(random, 1, 60);
  problem.first_round = pick(random, 1, 6);
  return problem;
}

inline SearchProblem random_search(Random& random, int64_t blocks, int64_t batch) {
  return to_search(random, random_problem(random, blocks, batch));
}

// Clusters of 64 rows, as many as there are; one draw of everything else.
inline SearchProblem many_clusters(Random& random, int64_t blocks, int64_t batch) {
  Problem probe = random_problem(random, blocks, batch);
  probe.cluster_begin = {0};
  while (probe.cluster_begin.back() < probe.catalogue.rows)
    probe.cluster_begin.push_back(probe.cluster_begin.back() + 64);
  const int64_t n = probe.n_clusters();
  probe.centroids.clear();
  for (int64_t i = 0; i < n * probe.dim; ++i) probe.centroids.push_back(static_cast<int8_t>(pick(random, -9, 9)));
  probe.centroid_scales.assign(static_cast<size_t>(n), 0.01f);
  if (!probe.centroid_bias.empty()) probe.centroid_bias.assign(static_cast<size_t>(n), -0.001f);
  return to_search(random, probe);
}

}  // namespace silverlode::filter_test
