#include "backends/cpu/scan.h"

#include <algorithm>
#include <limits>
#include <new>

#include "ops/check.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kSerialBytes = 256 * 1024;  // not worth waking a thread
constexpr int64_t kTaskBytes =
    256 * 1024;  // of rows: they stay in the second-level cache for the next group of queries
constexpr int64_t kTasksPerThread = 8;

}  // namespace

Scan::Scan(const Context& context, const IvfScan::Args& args, Carve& carve)
    : args_(args),
      k_(std::min(args.k, args.n_rows)),
      n_queries_(args.batch * args.heads),
      threads_(runtime(context).pool.threads()),
      plan_(args, carve) {
  queries_ = carve.take<ScanQuery>(n_queries_);
  keys_ = carve.take<RankKey>(n_queries_ * Collector::capacity(k_));
  vectors_ = carve.take<int8_t>(threads_ * kGroupQueries * args.dim);
  packed_ = carve.take<int8_t>(threads_ * kWordRows * args.dim);
  scanned_ = carve.take<int64_t>(threads_ * n_queries_);
}

void Scan::begin() {
  for (int64_t q = 0; q < n_queries_; ++q) {
    const int64_t request = q / args_.heads;
    const int8_t* vector = args_.queries + q * args_.dim;
    Scoring scoring = {.query_scale = args_.query_scales[q], .l2 = args_.metric == Metric::kL2};
    if (scoring.l2) {
      int64_t squares = 0;
      for (int64_t d = 0; d < args_.dim; ++d) squares += int32_t{vector[d]} * int32_t{vector[d]};
      scoring.query_norm = dequantized_norm(squares, scoring.query_scale);
    }
    const int32_t mask_row = args_.mask_of[request];
    const uint64_t* mask = mask_row < 0 ? args_.live : args_.mask + mask_row * args_.words;
    const int64_t k = std::clamp<int64_t>(args_.limits[request], 0, k_);
    new (queries_ + q) ScanQuery(vector, mask, scoring, keys_ + q * Collector::capacity(k_), k);
  }
  std::fill_n(scanned_, threads_ * n_queries_, 0);
}

Status Scan::scan(Context& context, const ScanLists& lists) {
  SILVERLODE_RETURN_IF_ERROR(plan_.build(args_, lists));
  ThreadPool& pool = runtime(context).pool;
  const std::span<const ScanTile> tiles = plan_.tiles();
  const auto n_tiles = static_cast<int64_t>(tiles.size());
  const int64_t tile_bytes = plan_.words() * kWordRows * args_.dim / std::max<int64_t>(n_tiles, 1);
  const int64_t most = std::max<int64_t>(1, n_tiles / (kTasksPerThread * threads_));
  const int64_t task_tiles = std::clamp<int64_t>(kTaskBytes / std::max<int64_t>(tile_bytes, 1), 1, most);
  const auto scan_task = [&](int64_t task, int32_t worker) {
    if (context.cancelled()) return;
    const int64_t count = std::min(task_tiles, n_tiles - task * task_tiles);
    scan_tiles(context, tiles.subspan(static_cast<size_t>(task * task_tiles), static_cast<size_t>(count)),
               scratch(worker));
  };
  const int64_t tasks = (n_tiles + task_tiles - 1) / task_tiles;
  if (plan_.pairs() * args_.dim < kSerialBytes) {
    for (int64_t task = 0; task < tasks; ++task) scan_task(task, 0);
  } else {
    pool.parallel_for(tasks, scan_task);
  }
  return ok_status();
}

bool Scan::has_kth(int64_t query, float& score) {
  ScanQuery& own = queries_[query];
  if (!own.collector.has_all()) return false;
  score = own.collector.kth();
  own.floor.store(score, std::memory_order_relaxed);
  return true;
}

void Scan::write(Context& context) {
  runtime(context).pool.parallel_for(n_queries_, [&](int64_t q, int32_t) { write_query(q); });
  std::fill_n(args_.out_scanned, args_.batch, 0);
  for (int64_t i = 0; i < threads_ * n_queries_; ++i) {
    args_.out_scanned[i % n_queries_ / args_.heads] += scanned_[i];
  }
}

ScanScratch Scan::scratch(int32_t worker) const {
  return {vectors_ + worker * kGroupQueries * args_.dim, packed_ + worker * kWordRows * args_.dim,
          scanned_ + worker * n_queries_};
}

void Scan::scan_tiles(Context& context, std::span<const ScanTile> tiles, const ScanScratch& scratch) {
  const SimdTable& simd = runtime(context).simd;
  Lookahead ahead(args_, simd.filter, plan_, queries_, tiles);
  for (size_t first = 0, end = 0; first < tiles.size(); first = end) {
    const std::span<const int32_t> queries = plan_.queries(tiles[first]);
    for (end = first + 1; end < tiles.size(); ++end) {
      if (!are_equal(queries, plan_.queries(tiles[end]))) break;
    }
    for (size_t group = 0; group < queries.size(); group += kGroupQueries) {
      const size_t count = std::min<size_t>(kGroupQueries, queries.size() - group);
      TileScan scan(args_, simd, queries_, queries.subspan(group, count), scratch);
      for (size_t tile = first; tile < end; ++tile) scan.scan(tiles[tile], group == 0 ? &ahead : nullptr);
      scan.finish();
    }
  }
}

void Scan::write_query(int64_t q) {
  ScanQuery& query = queries_[q];
  const int64_t count = query.collector.finish();
  const RankKey* keys = query.collector.keys();
  float* scores = args_.out_scores + q * args_.k;
  int32_t* ordinals = args_.out_ordinals + q * args_.k;
  for (int64_t i = 0; i < count; ++i) {
    scores[i] = key_score(keys[i]);
    ordinals[i] = static_cast<int32_t>(key_ordinal(keys[i]));
  }
  std::fill(scores + count, scores + args_.k, -std::numeric_limits<float>::infinity());
  std::fill(ordinals + count, ordinals + args_.k, -1);
}

}  // namespace silverlode::cpu
