// Blocks of rows on the pool; each block runs past all centroids in tiles that stay in cache. The product of a tile is
// one packed GEMM whose bias is -|c|²/2, so its outputs are the scores.
#include <algorithm>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/gemm.h"
#include "ops/assign_clusters.h"

namespace silverlode::cpu {
namespace {

constexpr int64_t kBlockRows = 64;
constexpr int64_t kTileClusters = 4 * kPanel;
constexpr int64_t kStepBlocks = 256;  // between two reports of progress
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Scratch {
  float* packed;
  float* bias;
  float* tiles;  // per worker: [kBlockRows, kTileClusters]

  Scratch(Carve& carve, const Context& context, const AssignClusters::Args& args)
      : packed(carve.take<float>(panel_count(args.n_clusters) * kPanel * args.dim)),
        bias(carve.take<float>(args.n_clusters)),
        tiles(carve.take<float>(runtime(context).pool.threads() * kBlockRows * kTileClusters)) {}
};

float half_norm(const float* centroid, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += static_cast<double>(centroid[d]) * static_cast<double>(centroid[d]);
  return static_cast<float>(sum / 2);
}

// Largest of kPanel scores, in lanes that compilers turn into vector instructions; NaN counts as -Infinity.
float panel_max(const float* scores) {
  constexpr int64_t kLanes = 8;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -kInfinity);
  for (int64_t begin = 0; begin < kPanel; begin += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float score = scores[begin + lane];
      lanes[lane] = score > lanes[lane] ? score : lanes[lane];
    }
  }
  return *std::max_element(lanes, lanes + kLanes);
}

// The sorted list of the m nearest centroids of one row; ids arrive in ascending order, so a tie never moves an entry.
struct Nearest {
  int32_t* ids;
  float* scores;
  int64_t m;

  // Scores of centroids first, first + 1, ...
  void offer_all(const float* offered, int64_t n, int64_t first) {
    for (int64_t begin = 0; begin < n; begin += kPanel) {
      const int64_t width = std::min(kPanel, n - begin);
      const bool full = first + begin >= m;
      if (full && width == kPanel && !(panel_max(offered + begin) > scores[m - 1])) continue;
      for (int64_t i = begin; i < begin + width; ++i) offer(offered[i], first + i);
    }
  }

  void offer(float score, int64_t id) {
    if (score != score) score = -kInfinity;
    if (id >= m && !(score > scores[m - 1])) return;
    int64_t slot = std::min(id, m - 1);
    for (; slot > 0 && scores[slot - 1] < score; --slot) {
      scores[slot] = scores[slot - 1];
      ids[slot] = ids[slot - 1];
    }
    scores[slot] = score;
    ids[slot] = static_cast<int32_t>(id);
  }
};

void assign_block(const Context& context, const AssignClusters::Args& args, const Scratch& scratch, int64_t block,
                  int32_t worker) {
  const int64_t first_row = block * kBlockRows;
  const int64_t n_rows = std::min(kBlockRows, args.n_rows - first_row);
  float* tile = scratch.tiles + worker * kBlockRows * kTileClusters;
  std::fill_n(args.clusters + first_row * args.nearest, n_rows * args.nearest, -1);
  std::fill_n(args.scores + first_row * args.nearest, n_rows * args.nearest, -kInfinity);

  for (int64_t first = 0; first < args.n_clusters; first += kTileClusters) {
    const int64_t width = std::min(kTileClusters, args.n_clusters - first);
    runtime(context).simd.floats.gemm_packed(args.rows + first_row * args.dim, args.dim, n_rows,
                                             scratch.packed + first * args.dim, scratch.bias + first, args.dim, width,
                                             tile, kTileClusters, Activation::kNone);
    for (int64_t row = 0; row < n_rows; ++row) {
      const int64_t offset = (first_row + row) * args.nearest;
      Nearest nearest = {args.clusters + offset, args.scores + offset, args.nearest};
      nearest.offer_all(tile + row * kTileClusters, width, first);
    }
  }
}

Status run(Context& context, const AssignClusters::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  const Scratch scratch(carve, context, args);
  ThreadPool& pool = runtime(context).pool;
  pack_weights(context, args.centroids, DType::kF32, args.n_clusters, args.dim, args.dim, scratch.packed);
  for (int64_t c = 0; c < args.n_clusters; ++c) {
    scratch.bias[c] = -half_norm(args.centroids + c * args.dim, args.dim);
  }

  const int64_t blocks = (args.n_rows + kBlockRows - 1) / kBlockRows;
  for (int64_t first = 0; first < blocks; first += kStepBlocks) {
    const int64_t n = std::min(kStepBlocks, blocks - first);
    pool.parallel_for(n, [&](int64_t task, int32_t worker) {
      if (!context.cancelled()) assign_block(context, args, scratch, first + task, worker);
    });
    if (context.cancelled()) return make_error(Code::kAborted, "%s was cancelled", AssignClusters::kName);
    if (context.progress != nullptr) {
      context.progress(context.progress_user, static_cast<double>(first + n) / static_cast<double>(blocks));
    }
  }
  return ok_status();
}

size_t workspace(const Context& context, const AssignClusters::Args& args) {
  Carve carve;
  const Scratch scratch(carve, context, args);
  return carve.bytes();
}

}  // namespace

template <>
OpEntry<AssignClusters::Args> entry<AssignClusters>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
