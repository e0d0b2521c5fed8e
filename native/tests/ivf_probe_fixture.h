// A random ivf_probe call, and what it must answer, row by row.
#pragma once

#include <set>

#include "core/order.h"
#include "ops/filter_eval.h"
#include "ops/ivf_probe.h"
#include "tests/filter_fixture.h"

namespace silverlode::filter_test {

struct Answer {
  std::vector<std::vector<std::vector<int32_t>>> clusters;  // [batch][heads]
  std::vector<std::vector<uint64_t>> masks;                 // [batch][W], zero outside the request's clusters
  std::vector<std::vector<int64_t>> stats;                  // [batch][4]
  bool operator==(const Answer&) const = default;
};

struct Problem {
  Catalogue catalogue;
  std::vector<int32_t> cluster_begin;
  std::vector<uint64_t> live;
  int64_t dim = 32, heads = 1;
  Metric metric = Metric::kInnerProduct;
  std::vector<int8_t> queries, centroids;
  std::vector<float> query_scales, centroid_scales, centroid_bias;
  std::vector<int32_t> probes, min_candidates, exact, plan_index;
  std::vector<Plan> plans;
  std::vector<std::vector<int32_t>> excludes;

  int64_t batch() const { return static_cast<int64_t>(probes.size()); }
  int64_t n_clusters() const { return static_cast<int64_t>(cluster_begin.size()) - 1; }

  // Only request r.
  Problem single(int64_t r) const {
    const auto at = static_cast<size_t>(r);
    Problem one = *this;
    one.queries.assign(queries.begin() + r * heads * dim, queries.begin() + (r + 1) * heads * dim);
    one.query_scales.assign(query_scales.begin() + r * heads, query_scales.begin() + (r + 1) * heads);
    one.probes = {probes[at]};
    one.min_candidates = {min_candidates[at]};
    one.exact = {exact[at]};
    one.plan_index = {plan_index[at]};
    one.excludes = {excludes[at]};
    return one;
  }
};

// The call itself: inputs as tensors, guarded outputs.
struct Call {
  const Problem& problem;
  Plans plans;
  std::vector<int32_t> exclude_offsets, exclude_rows;
  Guarded<int32_t> clusters, counts, mask_of;
  Guarded<uint64_t> mask;
  Guarded<int64_t> stats;

  explicit Call(const Problem& p)
      : problem(p),
        clusters(p.batch() * p.heads * p.n_clusters()),
        counts(p.batch() * p.heads),
        mask_of(p.batch()),
        mask(p.batch() * p.catalogue.words()),
        stats(p.batch() * 4) {
    for (const Plan& plan : p.plans) plans.add(plan);
    for (const auto& rows : p.excludes) {
      exclude_offsets.push_back(static_cast<int32_t>(exclude_rows.size()));
      exclude_rows.insert(exclude_rows.end(), rows.begin(), rows.end());
    }
  }

  IvfProbe::Args args() {
    IvfProbe::Args args = {};
    args.queries = problem.queries.data();
    args.query_scales = problem.query_scales.data();
    args.centroids = problem.centroids.data();
    args.centroid_scales = problem.centroid_scales.data();
    args.centroid_bias = problem.centroid_bias.empty() ? nullptr : problem.centroid_bias.data();
    args.cluster_begin = problem.cluster_begin.data();
    args.live = problem.live.data();
    args.probes = problem.probes.data();
    args.min_candidates = problem.min_candidates.data();
    args.exact = problem.exact.data();
    args.plan_index = problem.plan_index.data();
    args.exclude_offsets = exclude_offsets.data();
    args.exclude_rows = exclude_rows.data();
    args.plans = plans.ref();
    args.filter = problem.catalogue.ref();
    args.clusters = clusters.data();
    args.counts = counts.data();
    args.mask = mask.data();
    args.mask_of = mask_of.data();
    args.stats = stats.data();
    args.batch = problem.batch();
    args.heads = problem.heads;
    args.dim = problem.dim;
    args.n_clusters = problem.n_clusters();
    args.words = problem.catalogue.words();
    args.n_exclude = static_cast<int64_t>(exclude_rows.size());
    args.metric = problem.metric;
    return args;
  }

  bool untouched() const {
    return clusters.untouched() && counts.untouched() && mask.untouched() && mask_of.untouched() && stats.untouched();
  }

  // The valid parts of the outputs.
  Answer answer() {
    Answer answer;
    const int64_t words = problem.catalogue.words();
    for (int64_t r = 0; r < problem.batch(); ++r) {
      std::vector<std::vector<int32_t>> lists;
      std::vector<uint64_t> bits(static_cast<size_t>(words), 0);
      const int32_t row = mask_of[r];
      const uint64_t* source = row < 0 ? problem.live.data() : mask.data() + row * words;
      for (int64_t h = r * problem.heads; h < (r + 1) * problem.heads; ++h) {
        const int32_t* first = clusters.data() + h * problem.n_clusters();
        lists.emplace_back(first, first + counts[h]);
        for (int32_t c : lists.back()) {
          const int64_t begin = problem.cluster_begin[static_cast<size_t>(c)] / 64;
          const int64_t end = problem.cluster_begin[static_cast<size_t>(c) + 1] / 64;
          std::copy(source + begin, source + end, bits.begin() + begin);
        }
      }
      answer.clusters.push_back(lists);
      answer.masks.push_back(bits);
      answer.stats.emplace_back(stats.data() + r * 4, stats.data() + r * 4 + 4);
    }
    return answer;
  }
};

inline Answer probe(const Problem& problem, int32_t threads = 1, cpu::SimdLevel level = cpu::best_simd_level()) {
  Call call(problem);
  const Status status = run_op(cpu::entry<IvfProbe>(), call.args(), threads, level);
  EXPECT_TRUE(status.ok()) << status.text;
  return status.ok() ? call.answer() : Answer{};
}

// All clusters of one query, nearest first.
inline std::vector<int32_t> reference_order(const Problem& problem, int64_t query) {
  const int8_t* q = problem.queries.data() + query * problem.dim;
  const float scale = problem.query_scales[static_cast<size_t>(query)];
  int64_t squares = 0;
  for (int64_t d = 0; d < problem.dim; ++d) squares += q[d] * q[d];
  std::vector<RankKey> keys;
  for (int64_t c = 0; c < problem.n_clusters(); ++c) {
    int32_t dot = 0;
    for (int64_t d = 0; d < problem.dim; ++d) dot += q[d] * problem.centroids[static_cast<size_t>(c * problem.dim + d)];
    float score = scaled_dot(dot, problem.centroid_scales[static_cast<size_t>(c)], scale);
    if (!problem.centroid_bias.empty()) score += problem.centroid_bias[static_cast<size_t>(c)];
    if (problem.metric == Metric::kL2) score = l2_score(score, dequantized_norm(squares, scale));
    keys.push_back(make_key(score, static_cast<uint32_t>(c)));
  }
  std::sort(keys.rbegin(), keys.rend());
  std::vector<int32_t> order;
  for (RankKey key : keys) order.push_back(static_cast<int32_t>(key_ordinal(key)));
  return order;
}

struct Eligibility {
  std::vector<uint64_t> lo, hi;    // what the plan says of live rows
  std::vector<uint64_t> eligible;  // of the request
};

inline Eligibility eligibility(const Problem& problem, int64_t r) {
  const Catalogue& catalogue = problem.catalogue;
  const auto at = static_cast<size_t>(r);
  const bool filtered = problem.plan_index[at] >= 0;
  std::vector<uint64_t> lo = problem.live, hi = problem.live;
  if (filtered) {
    Plans plans;
    plans.add(problem.plans[static_cast<size_t>(problem.plan_index[at])]);
    const FilterEval::Args eval = {plans.ref(), catalogue.ref(), problem.live.data(),
                                   lo.data(),   hi.data(),       catalogue.words()};
    EXPECT_TRUE(run_op(cpu::entry<FilterEval>(), eval).ok());
  }
  std::vector<uint64_t> eligible = hi;
  const std::set<int32_t> excluded(problem.excludes[at].begin(), problem.excludes[at].end());
  for (int64_t row = 0; row < catalogue.rows; ++row) {
    bool match = bit(hi.data(), row);
    if (filtered && problem.exact[at] != 0) {
      const Plan& plan = problem.plans[static_cast<size_t>(problem.plan_index[at])];
      match = bit(problem.live.data(), row) && truth(plan, catalogue, row);
    }
    if (excluded.count(static_cast<int32_t>(row)) != 0) match = false;
    const uint64_t one = uint64_t{1} << (row % 64);
    uint64_t& word = eligible[static_cast<size_t>(row / 64)];
    word = match ? word | one : word & ~one;
  }
  return {lo, hi, eligible};
}

inline int64_t count_in(const Problem& problem, const std::vector<uint64_t>& bits, int32_t c) {
  int64_t total = 0;
  const auto cluster = static_cast<size_t>(c);
  for (int64_t row = problem.cluster_begin[cluster]; row < problem.cluster_begin[cluster + 1]; ++row) {
    total += bit(bits.data(), row);
  }
  return total;
}

inline Answer reference(const Problem& problem) {
  const int64_t words = problem.catalogue.words();
  Answer answer;
  for (int64_t r = 0; r < problem.batch(); ++r) {
    const auto at = static_cast<size_t>(r);
    const bool filtered = problem.plan_index[at] >= 0;
    const auto [lo, hi, eligible] = eligibility(problem, r);
    const auto count = [&](const std::vector<uint64_t>& bits, int32_t c) { return count_in(problem, bits, c); };

    std::set<int32_t> seen, listed;
    std::vector<std::vector<int32_t>> lists;
    const int64_t nearest = std::clamp<int64_t>(problem.probes[at], 0, problem.n_clusters());
    for (int64_t head = 0; head < problem.heads; ++head) {
      std::vector<int32_t> list;
      int64_t found = 0, looked = 0;
      std::vector<int32_t> order = reference_order(problem, r * problem.heads + head);
      if (nearest == 0) std::sort(order.begin(), order.end());
      for (int32_t c : order) {
        if (nearest > 0 && looked >= nearest && found >= problem.min_candidates[at]) break;
        const int64_t here = count(eligible, c);
        if (looked++ < nearest || here > 0) list.push_back(c);
        found += here;
        seen.insert(c);
      }
      listed.insert(list.begin(), list.end());
      lists.push_back(list);
    }
    std::vector<int64_t> stats = {static_cast<int64_t>(listed.size()), 0, 0, 0};
    std::vector<uint64_t> mask(static_cast<size_t>(words), 0);
    for (int32_t c : listed) {
      stats[1] += count(eligible, c);
      const int64_t begin = problem.cluster_begin[static_cast<size_t>(c)] / 64;
      const int64_t end = problem.cluster_begin[static_cast<size_t>(c) + 1] / 64;
      std::copy(eligible.begin() + begin, eligible.begin() + end, mask.begin() + begin);
    }
    for (int32_t c : seen) {
      if (!filtered) continue;
      stats[2] += count(problem.live, c);
      stats[3] += count(hi, c) - count(lo, c);
    }
    answer.clusters.push_back(lists);
    answer.masks.push_back(mask);
    answer.stats.push_back(stats);
  }
  return answer;
}

// Clusters of awkward sizes over the whole catalogue; few distinct int8 values, so scores tie often.
inline Problem random_problem(Random& random, int64_t blocks, int64_t batch, int64_t width = 24) {
  Problem problem;
  problem.catalogue = random_catalogue(random, blocks, width);
  problem.dim = 32 * pick(random, 1, 2);
  problem.heads = pick(random, 1, 3);
  problem.live.assign(static_cast<size_t>(problem.catalogue.words()), 0);
  problem.cluster_begin = {0};
  const int64_t sizes[] = {0, 1, 63, 64, 65, 130, 300, 700};
  while (true) {
    const int64_t size = sizes[pick(random, 0, 7)];
    const int64_t begin = problem.cluster_begin.back();
    const int64_t end = begin + (size + 63) / 64 * 64;
    if (end > problem.catalogue.rows) break;
    for (int64_t row = begin; row < begin + size; ++row) {
      if (chance(random, 0.95)) problem.live[static_cast<size_t>(row / 64)] |= uint64_t{1} << (row % 64);
    }
    problem.cluster_begin.push_back(static_cast<int32_t>(end));
  }
  if (problem.n_clusters() == 0) problem.cluster_begin.push_back(0);
  const auto scale = [&] { return chance(random, 0.1) ? 0.0f : static_cast<float>(pick(random, 1, 3)) * 0.01f; };
  for (int64_t i = 0; i < problem.n_clusters() * problem.dim; ++i) {
    problem.centroids.push_back(static_cast<int8_t>(pick(random, -2, 2)));
  }
  for (int64_t c = 0; c < problem.n_clusters(); ++c) problem.centroid_scales.push_back(scale());
  if (chance(random, 0.5)) {
    problem.metric = Metric::kL2;
    for (int64_t c = 0; c < problem.n_clusters(); ++c) {
      problem.centroid_bias.push_back(static_cast<float>(pick(random, -9, 0)) * 0.001f);
    }
  }
  for (int64_t i = pick(random, 0, 4); i > 0; --i) {
    problem.plans.emplace_back();
    random_plan(random, problem.catalogue, static_cast<int32_t>(pick(random, 0, 4)), problem.plans.back());
  }
  for (int64_t i = 0; i < batch * problem.heads * problem.dim; ++i) {
    problem.queries.push_back(static_cast<int8_t>(pick(random, -3, 3)));
  }
  for (int64_t i = 0; i < batch * problem.heads; ++i) problem.query_scales.push_back(scale());
  for (int64_t r = 0; r < batch; ++r) {
    problem.probes.push_back(static_cast<int32_t>(pick(random, -1, problem.n_clusters() + 2) / pick(random, 1, 6)));
    problem.min_candidates.push_back(static_cast<int32_t>(pick(random, -5, 900) / pick(random, 1, 9)));
    problem.exact.push_back(static_cast<int32_t>(chance(random, 0.7)));
    problem.plan_index.push_back(
        static_cast<int32_t>(pick(random, -1, static_cast<int64_t>(problem.plans.size()) - 1)));
    problem.excludes.emplace_back();
    if (chance(random, 0.5)) continue;
    for (int64_t i = pick(random, 0, 300); i > 0; --i) {
      problem.excludes.back().push_back(static_cast<int32_t>(pick(random, -20, problem.catalogue.rows - 1)));
    }
  }
  return problem;
}

}  // namespace silverlode::filter_test
