#include "ops/ivf_scan.h"

#include <algorithm>
#include <limits>
#include <new>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/scan_plan.h"
#include "backends/cpu/tile_scan.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kSerialBytes = 256 * 1024;  // not worth waking a thread
constexpr int64_t kTaskBytes =
    256 * 1024;  // of rows: they stay in the second-level cache for the next group of queries
constexpr int64_t kTasksPerThread = 8;

struct Layout {
  Layout(const Context& context, const IvfScan::Args& args, Carve& carve)
      : k(std::min(args.k, args.n_rows)), n_queries(args.batch * args.heads), plan(args, carve) {
    threads = runtime(context).pool.threads();
    queries = carve.take<ScanQuery>(n_queries);
    keys = carve.take<RankKey>(n_queries * Collector::capacity(k));
    vectors = carve.take<int8_t>(threads * kGroupQueries * args.dim);
    packed = carve.take<int8_t>(threads * kWordRows * args.dim);
    scanned = carve.take<int64_t>(threads * n_queries);
  }

  ScanScratch scratch(const IvfScan::Args& args, int32_t worker) const {
    return {vectors + worker * kGroupQueries * args.dim, packed + worker * kWordRows * args.dim,
            scanned + worker * n_queries};
  }

  int64_t k, n_queries, threads;
  ScanPlan plan;
  ScanQuery* queries;
  RankKey* keys;
  int8_t* vectors;
  int8_t* packed;
  int64_t* scanned;
};

size_t workspace(const Context& context, const IvfScan::Args& args) {
  Carve carve;
  Layout(context, args, carve);
  return carve.bytes();
}

void start_queries(const IvfScan::Args& args, const Layout& layout) {
  for (int64_t q = 0; q < args.batch * args.heads; ++q) {
    const int64_t request = q / args.heads;
    const int8_t* vector = args.queries + q * args.dim;
    Scoring scoring = {.query_scale = args.query_scales[q], .l2 = args.metric == Metric::kL2};
    if (scoring.l2) {
      int64_t squares = 0;
      for (int64_t d = 0; d < args.dim; ++d) squares += int32_t{vector[d]} * int32_t{vector[d]};
      scoring.query_norm = dequantized_norm(squares, scoring.query_scale);
    }
    const int32_t mask_row = args.mask_of[request];
    const uint64_t* mask = mask_row < 0 ? args.live : args.mask + mask_row * args.words;
    const int64_t k = std::clamp<int64_t>(args.limits[request], 0, layout.k);
    new (layout.queries + q) ScanQuery(vector, mask, scoring, layout.keys + q * Collector::capacity(layout.k), k);
  }
}

void write_query(const IvfScan::Args& args, const Layout& layout, int64_t q) {
  ScanQuery& query = layout.queries[q];
  const int64_t count = query.collector.finish();
  const RankKey* keys = query.collector.keys();
  float* scores = args.out_scores + q * args.k;
  int32_t* ordinals = args.out_ordinals + q * args.k;
  for (int64_t i = 0; i < count; ++i) {
    scores[i] = key_score(keys[i]);
    ordinals[i] = static_cast<int32_t>(key_ordinal(keys[i]));
  }
  std::fill(scores + count, scores + args.k, -std::numeric_limits<float>::infinity());
  std::fill(ordinals + count, ordinals + args.k, -1);
}

// A run of tiles. Neighbours that the same queries probe, as all are for a single request, are scanned as one, so that few
// eligible rows in each still make full blocks.
void scan_tiles(const Context& context, const IvfScan::Args& args, const Layout& layout,
                std::span<const ScanTile> tiles, const ScanScratch& scratch) {
  const SimdTable& simd = runtime(context).simd;
  Lookahead ahead(args, simd.filter, layout.plan, layout.queries, tiles);
  for (size_t first = 0, end = 0; first < tiles.size(); first = end) {
    const std::span<const int32_t> queries = layout.plan.queries(tiles[first]);
    for (end = first + 1; end < tiles.size(); ++end) {
      if (!are_equal(queries, layout.plan.queries(tiles[end]))) break;
    }
    for (size_t group = 0; group < queries.size(); group += kGroupQueries) {
      const size_t count = std::min<size_t>(kGroupQueries, queries.size() - group);
      TileScan scan(args, simd, layout.queries, queries.subspan(group, count), scratch);
      for (size_t tile = first; tile < end; ++tile) scan.scan(tiles[tile], group == 0 ? &ahead : nullptr);
      scan.finish();
    }
  }
}

Status run(Context& context, const IvfScan::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  Layout layout(context, args, carve);
  const Status status = layout.plan.build(args);
  if (!status.ok()) return status;
  start_queries(args, layout);
  std::fill_n(layout.scanned, layout.threads * layout.n_queries, 0);

  ThreadPool& pool = runtime(context).pool;
  const std::span<const ScanTile> tiles = layout.plan.tiles();
  const auto n_tiles = static_cast<int64_t>(tiles.size());
  const int64_t tile_bytes = layout.plan.words() * kWordRows * args.dim / std::max<int64_t>(n_tiles, 1);
  const int64_t most = std::max<int64_t>(1, n_tiles / (kTasksPerThread * layout.threads));
  const int64_t task_tiles = std::clamp<int64_t>(kTaskBytes / std::max<int64_t>(tile_bytes, 1), 1, most);
  const auto scan_task = [&](int64_t task, int32_t worker) {
    if (context.cancelled()) return;
    const int64_t count = std::min(task_tiles, n_tiles - task * task_tiles);
    const ScanScratch scratch = layout.scratch(args, worker);
    scan_tiles(context, args, layout, tiles.subspan(static_cast<size_t>(task * task_tiles), static_cast<size_t>(count)),
               scratch);
  };
  const int64_t tasks = (n_tiles + task_tiles - 1) / task_tiles;
  if (layout.plan.pairs() * args.dim < kSerialBytes) {
    for (int64_t task = 0; task < tasks; ++task) scan_task(task, 0);
  } else {
    pool.parallel_for(tasks, scan_task);
  }
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfScan::kName);

  pool.parallel_for(args.batch * args.heads, [&](int64_t q, int32_t) { write_query(args, layout, q); });
  std::fill_n(args.out_scanned, args.batch, 0);
  for (int64_t i = 0; i < layout.threads * layout.n_queries; ++i) {
    args.out_scanned[i % layout.n_queries / args.heads] += layout.scanned[i];
  }
  return ok_status();
}

}  // namespace

OpEntry<IvfScan::Args> ivf_scan_entry() { return {.workspace = workspace, .run = run}; }

}  // namespace silverlode::cpu
