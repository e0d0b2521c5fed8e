// k-means++ in groups. Drawing one centroid at a time reads all rows once per centroid; instead a group of proposals is
// drawn from the distances known now, and each is accepted with probability (its distance now, counting those accepted
// before it) / (its distance when drawn). That is rejection sampling, so the centroids have exactly the distribution of
// one-at-a-time k-means++, while all accepted ones of a group share one pass over the rows, a GEMM with one panel.
//
// The panel holds -2c and the bias is |c|², so its outputs are |c|² - 2x·c. Sums are over fixed blocks of rows: they
// depend neither on threads nor on the SIMD level. Random numbers: splitmix64.
#include <algorithm>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/gemm.h"
#include "ops/kmeans_seed.h"

namespace silverlode::cpu {
namespace {

constexpr int64_t kBlockRows = 1024;  // of one partial sum and one task
constexpr int64_t kTileRows = 64;
constexpr int64_t kGroup = kPanel;          // accepted at most between two passes over the rows
constexpr int64_t kProposals = 2 * kGroup;  // drawn for a group
constexpr float kFar = std::numeric_limits<float>::max();

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)

 private:
  uint64_t next() {
    uint64_t bits = state_ += 0x9E3779B97F4A7C15u;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
  }

  uint64_t state_;
};

struct Scratch {
  int64_t blocks;
  float* norms;         // [N] |x|²
  float* distances;     // [N] squared distance from the nearest centroid so far
  double* block_sums;   // [blocks] of distances
  bool* used;           // [N]
  float* group_rows;    // [kProposals, D]
  float* group_panels;  // the same rows, packed
  float* group_tile;    // [kProposals, kProposals]
  float* panels;        // per worker: one panel
  float* tiles;         // per worker: [kTileRows, kPanel]

  Scratch(Carve& carve, const Context& context, const KmeansSeed::Args& args)
      : blocks((args.n_rows + kBlockRows - 1) / kBlockRows),
        norms(carve.take<float>(args.n_rows)),
        distances(carve.take<float>(args.n_rows)),
        block_sums(carve.take<double>(blocks)),
        used(carve.take<bool>(args.n_rows)),
        group_rows(carve.take<float>(kProposals * args.dim)),
        group_panels(carve.take<float>(kProposals * args.dim)),
        group_tile(carve.take<float>(kProposals * kProposals)),
        panels(carve.take<float>(runtime(context).pool.threads() * kPanel * args.dim)),
        tiles(carve.take<float>(runtime(context).pool.threads() * kTileRows * kPanel)) {}
};

class Seeding {
 public:
  Seeding(Context& context, const KmeansSeed::Args& args, const Scratch& scratch)
      : context_(context), args_(args), scratch_(scratch), floats_(runtime(context).simd.floats), random_(args.seed) {}

  Status run() {
    compute_norms();
    std::fill_n(scratch_.distances, args_.n_rows, kFar);
    int32_t group[kGroup];
    group[0] = static_cast<int32_t>(random_.uniform() * static_cast<double>(args_.n_rows));
    for (int64_t n = 1; n > 0; n = choose_group(group)) {
      std::copy_n(group, n, args_.chosen + n_chosen_);
      n_chosen_ += n;
      if (n_chosen_ == args_.n_clusters) break;
      add_centroids(group, n);
      if (context_.cancelled()) return make_error(Code::kAborted, "%s was cancelled", KmeansSeed::kName);
      report(static_cast<double>(n_chosen_) / static_cast<double>(args_.n_clusters));
    }
    choose_unused();
    report(1);
    return ok_status();
  }

 private:
  const float* row(int64_t index) const { return args_.rows + index * args_.dim; }

  void report(double done) const {
    if (context_.progress != nullptr) context_.progress(context_.progress_user, done);
  }

  // Lays up to kPanel rows, times `factor`, out as one zero-filled panel; row_of(i) is the i-th of them.
  template <class RowOf>
  void pack_panel(int64_t n, float factor, float* panel, RowOf row_of) const {
    std::fill_n(panel, kPanel * args_.dim, 0.0f);
    for (int64_t i = 0; i < n; ++i) {
      const float* from = row_of(i);
      for (int64_t d = 0; d < args_.dim; ++d) panel[d * kPanel + i] = factor * from[d];
    }
  }

  // |x|² as the diagonal of each panel's products with itself: the same fma chain as every x·c, so that the distance of
  // a row from itself is exactly 0.
  void compute_norms() {
    const int64_t n_panels = panel_count(args_.n_rows);
    runtime(context_).pool.parallel_for(n_panels, [&](int64_t task, int32_t worker) {
      if (context_.cancelled()) return;
      const int64_t first = task * kPanel;
      const int64_t n = std::min(kPanel, args_.n_rows - first);
      float* panel = scratch_.panels + worker * kPanel * args_.dim;
      float* tile = scratch_.tiles + worker * kTileRows * kPanel;
      pack_panel(n, 1.0f, panel, [&](int64_t i) { return row(first + i); });
      floats_.gemm_packed(row(first), args_.dim, n, panel, nullptr, args_.dim, kPanel, tile, kPanel, Activation::kNone);
      for (int64_t i = 0; i < n; ++i) scratch_.norms[first + i] = tile[i * kPanel + i];
    });
  }

  // Lowers every row's distance to that from the nearest of n <= kGroup new centroids.
  void add_centroids(const int32_t* centroids, int64_t n) {
    float bias[kPanel];
    std::fill_n(bias, kPanel, kFar);  // unused lanes are never nearest
    for (int64_t i = 0; i < n; ++i) bias[i] = scratch_.norms[centroids[i]];
    pack_panel(n, -2.0f, scratch_.group_panels, [&](int64_t i) { return row(centroids[i]); });
    runtime(context_).pool.parallel_for(scratch_.blocks, [&](int64_t block, int32_t worker) {
      if (!context_.cancelled()) update_block(block, bias, scratch_.tiles + worker * kTileRows * kPanel);
    });
  }

  void update_block(int64_t block, const float* bias, float* tile) {
    const int64_t end = std::min(args_.n_rows, (block + 1) * kBlockRows);
    double sum = 0;
    for (int64_t first = block * kBlockRows; first < end; first += kTileRows) {
      const int64_t n = std::min(kTileRows, end - first);
      floats_.gemm_packed(row(first), args_.dim, n, scratch_.group_panels, bias, args_.dim, kPanel, tile, kPanel,
                          Activation::kNone);
      for (int64_t i = 0; i < n; ++i) {
        float& distance = scratch_.distances[first + i];
        distance = std::min(distance, distance_from(scratch_.norms[first + i], panel_min(tile + i * kPanel)));
        sum += static_cast<double>(distance);
      }
    }
    scratch_.block_sums[block] = sum;
  }

  // |x|² + (|c|² - 2x·c), not below 0. Rounding is monotone, so the smallest product gives the smallest distance.
  static float distance_from(float norm, float product) {
    const float distance = norm + product;
    return distance > 0 ? distance : 0.0f;
  }

  static float panel_min(const float* values) {
    constexpr int64_t kLanes = 8;
    float lanes[kLanes];
    std::copy_n(values, kLanes, lanes);
    for (int64_t begin = kLanes; begin < kPanel; begin += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const float value = values[begin + lane];
        lanes[lane] = value < lanes[lane] ? value : lanes[lane];
      }
    }
    return *std::min_element(lanes, lanes + kLanes);
  }

  // Draws and accepts the next centroids; their number is 0 only when every row is at distance 0.
  int64_t choose_group(int32_t* group) {
    double total = 0;
    for (int64_t block = 0; block < scratch_.blocks; ++block) total += scratch_.block_sums[block];
    if (!(total > 0)) return 0;

    int32_t proposals[kProposals];
    for (int32_t& proposal : proposals) proposal = draw(random_.uniform() * total);
    compare_proposals(proposals);

    const int64_t wanted = std::min(kGroup, args_.n_clusters - n_chosen_);
    int64_t accepted[kGroup];  // positions in proposals
    int64_t n = 0;
    for (int64_t i = 0; i < kProposals && n < wanted; ++i) {
      const float drawn = scratch_.distances[proposals[i]];
      float now = drawn;
      for (int64_t a = 0; a < n; ++a) {
        const float product = scratch_.group_tile[i * kProposals + accepted[a]];
        now = std::min(now, distance_from(scratch_.norms[proposals[i]], product));
      }
      if (n > 0 && !(random_.uniform() * static_cast<double>(drawn) < static_cast<double>(now))) continue;
      accepted[n] = i;
      group[n++] = proposals[i];
    }
    return n;
  }

  // The row in which the running sum of distances exceeds `target`. Rounding may leave none; then a row near the end.
  // Never a row at distance 0.
  int32_t draw(double target) const {
    int64_t block = 0, last_block = 0;
    for (; block < scratch_.blocks; ++block) {
      const double sum = scratch_.block_sums[block];
      if (sum > 0) last_block = block;
      if (target < sum) break;
      target -= sum;
    }
    const int64_t first = last_block * kBlockRows;
    const int64_t end = std::min(args_.n_rows, first + kBlockRows);
    int64_t last = first;
    for (int64_t index = first; index < end; ++index) {
      const double distance = static_cast<double>(scratch_.distances[index]);
      if (!(distance > 0)) continue;
      last = index;
      if (target < distance) break;
      target -= distance;
    }
    return static_cast<int32_t>(last);
  }

  // group_tile[i, j] = |p_j|² - 2 p_i · p_j
  void compare_proposals(const int32_t* proposals) {
    float bias[kProposals];
    for (int64_t i = 0; i < kProposals; ++i) {
      bias[i] = scratch_.norms[proposals[i]];
      std::copy_n(row(proposals[i]), args_.dim, scratch_.group_rows + i * args_.dim);
    }
    for (int64_t first = 0; first < kProposals; first += kPanel) {
      pack_panel(kPanel, -2.0f, scratch_.group_panels + first * args_.dim,
                 [&](int64_t i) { return row(proposals[first + i]); });
    }
    floats_.gemm_packed(scratch_.group_rows, args_.dim, kProposals, scratch_.group_panels, bias, args_.dim, kProposals,
                        scratch_.group_tile, kProposals, Activation::kNone);
  }

  // Fewer distinct rows than clusters: the rest are copies, so any will do.
  void choose_unused() {
    if (n_chosen_ == args_.n_clusters) return;
    std::fill_n(scratch_.used, args_.n_rows, false);
    for (int64_t i = 0; i < n_chosen_; ++i) scratch_.used[args_.chosen[i]] = true;
    for (int64_t index = 0; n_chosen_ < args_.n_clusters; ++index) {
      if (!scratch_.used[index]) args_.chosen[n_chosen_++] = static_cast<int32_t>(index);
    }
  }

  Context& context_;
  const KmeansSeed::Args& args_;
  const Scratch& scratch_;
  const FloatKernels& floats_;
  Random random_;
  int64_t n_chosen_ = 0;
};

Status run(Context& context, const KmeansSeed::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  const Scratch scratch(carve, context, args);
  return Seeding(context, args, scratch).run();
}

size_t workspace(const Context& context, const KmeansSeed::Args& args) {
  Carve carve;
  const Scratch scratch(carve, context, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<KmeansSeed::Args> entry<KmeansSeed>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
