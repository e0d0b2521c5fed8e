#include "ops/ivf_scan.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <thread>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/scan_plan.h"
#include "backends/cpu/select.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kGroupQueries = 32;         // queries that share one pass over a tile
constexpr int64_t kDenseRows = 40;            // of 64: from here it is cheaper to score all of them
constexpr int64_t kAheadBytes = 4096;         // of rows that the next step will read
constexpr int64_t kSerialBytes = 256 * 1024;  // not worth waking a thread

// One query (a head of a request). Threads that scan for it share its collector: results depend only on the set of keys,
// and a bar raised by one thread spares the others work.
struct alignas(64) Query {
  Query(const int8_t* values, const uint64_t* mask_row, const Scoring& how, RankKey* storage, int64_t k)
      : vector(values), mask(mask_row), scoring(how), collector(storage, k), floor(collector.floor()) {}

  void offer(uint64_t bits, const float* scores, const int32_t* ordinals, const int32_t* index) {
    while (busy.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
    for (; bits != 0; bits &= bits - 1) {
      const int32_t i = std::countr_zero(bits);
      collector.push(make_key(scores[i], static_cast<uint32_t>(ordinals[index == nullptr ? i : index[i]])));
    }
    floor.store(collector.floor(), std::memory_order_relaxed);
    busy.clear(std::memory_order_release);
  }

  const int8_t* vector;
  const uint64_t* mask;
  Scoring scoring;
  Collector collector;
  std::atomic<float> floor;
  std::atomic<int64_t> scanned{0};
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

struct Layout {
  Layout(const Context& context, const IvfScan::Args& args, Carve& carve)
      : k(std::min(args.k, args.n_rows)), plan(args, carve) {
    const int64_t n_queries = args.batch * args.heads;
    const int64_t threads = runtime(context).pool.threads();
    queries = carve.take<Query>(n_queries);
    keys = carve.take<RankKey>(n_queries * Collector::capacity(k));
    group_vectors = carve.take<int8_t>(threads * kGroupQueries * args.dim);
    packed_rows = carve.take<int8_t>(threads * kWordRows * args.dim);
  }

  int64_t k;
  ScanPlan plan;
  Query* queries;
  RankKey* keys;
  int8_t* group_vectors;  // per worker: the vectors of a group side by side
  int8_t* packed_rows;    // per worker: scattered rows side by side
};

size_t workspace(const Context& context, const IvfScan::Args& args) {
  Carve carve;
  Layout(context, args, carve);
  return carve.bytes();
}

void fetch(const void* from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const uint8_t*>(from) + at);
}

// Up to 64 rows to score together: consecutive ones from `first`, or those in `index`.
struct Block {
  int64_t n = 0;
  int64_t first = 0;
  const int32_t* index = nullptr;

  int64_t row(int64_t i) const { return index == nullptr ? first + i : index[i]; }
};

// One group of queries over one tile.
class TileScan {
 public:
  TileScan(const IvfScan::Args& args, const Int8Kernels& kernels, const Layout& layout, std::span<const int32_t> group,
           int32_t worker)
      : args_(args), kernels_(kernels), n_queries_(static_cast<int64_t>(group.size())) {
    vectors_ = layout.group_vectors + worker * kGroupQueries * args.dim;
    packed_ = layout.packed_rows + worker * kWordRows * args.dim;
    for (int64_t q = 0; q < n_queries_; ++q) queries_[q] = &layout.queries[group[static_cast<size_t>(q)]];
    if (n_queries_ == 1) return;
    for (int64_t q = 0; q < n_queries_; ++q) {
      std::memcpy(vectors_ + q * args.dim, queries_[q]->vector, static_cast<size_t>(args.dim));
    }
  }

  void scan(const ScanTile& tile) {
    for (int64_t word = tile.first_word; word < tile.first_word + tile.n_words; ++word) scan_word(word);
    flush();
    for (int64_t q = 0; q < n_queries_; ++q) {
      queries_[q]->scanned.fetch_add(scanned_[q], std::memory_order_relaxed);
    }
  }

 private:
  void scan_word(int64_t word) {
    uint64_t bits[kGroupQueries];
    uint64_t any = 0;
    for (int64_t q = 0; q < n_queries_; ++q) {
      bits[q] = queries_[q]->mask[word];
      any |= bits[q];
      scanned_[q] += std::popcount(bits[q]);
    }
    const int64_t count = std::popcount(any);
    if (count == 0) return;
    if (count >= kDenseRows) {
      score({.n = kWordRows, .first = word * kWordRows}, bits);
      return;
    }
    if (pending_ + count > kWordRows) flush();
    for (int64_t q = 0; q < n_queries_; ++q) {
      if (pending_ == 0) pending_bits_[q] = 0;
      pending_bits_[q] |= compress(bits[q], any) << pending_;
    }
    for (; any != 0; any &= any - 1) {
      const int64_t row = word * kWordRows + std::countr_zero(any);
      fetch(args_.rows + row * args_.dim, std::min(args_.dim, kAheadBytes / 16));
      pending_rows_[pending_++] = static_cast<int32_t>(row);
    }
  }

  void flush() {
    if (pending_ > 0) score({.n = pending_, .index = pending_rows_}, pending_bits_);
    pending_ = 0;
  }

  // The bits of `bits` at the places that `mask` has set, moved together.
  static uint64_t compress(uint64_t bits, uint64_t mask) {
    if (bits == mask) return (uint64_t{1} << std::popcount(mask)) - 1;  // fewer than kDenseRows bits
    uint64_t result = 0;
    for (uint64_t to = 1; mask != 0; mask &= mask - 1, to <<= 1) {
      if (bits & mask & (~mask + 1)) result |= to;
    }
    return result;
  }

  // A tile of all pairs pays when most of them are wanted; otherwise each query goes alone.
  void score(const Block& block, const uint64_t* bits) {
    int64_t wanted = 0;
    for (int64_t q = 0; q < n_queries_; ++q) wanted += std::popcount(bits[q]);
    if (n_queries_ > 1 && 2 * wanted >= block.n * n_queries_) {
      score_together(block, bits);
      return;
    }
    for (int64_t q = 0; q < n_queries_; ++q) {
      if (bits[q] != 0) score_alone(block, bits[q], *queries_[q]);
    }
  }

  void score_together(const Block& block, const uint64_t* bits) {
    const int8_t* rows = args_.rows + block.first * args_.dim;
    if (block.index != nullptr) {
      rows = packed_;
      for (int64_t i = 0; i < block.n; ++i) {
        std::memcpy(packed_ + i * args_.dim, args_.rows + block.row(i) * args_.dim, static_cast<size_t>(args_.dim));
      }
    }
    int32_t dots[kGroupQueries * kWordRows];
    kernels_.dot_tile(vectors_, n_queries_, rows, block.n, args_.dim, dots);
    load_terms(block);
    for (int64_t q = 0; q < n_queries_; ++q) {
      if (bits[q] != 0) finish(block, bits[q], dots + q * block.n, *queries_[q]);
    }
  }

  void score_alone(const Block& block, uint64_t bits, Query& query) {
    int32_t dots[kWordRows];
    if (block.index == nullptr && std::popcount(bits) >= kDenseRows) {
      kernels_.dot_rows(query.vector, args_.rows + block.first * args_.dim, block.n, args_.dim, dots);
      load_terms(block);
      finish(block, bits, dots, query);
      return;
    }
    int32_t index[kWordRows];
    int64_t n = 0;
    for (uint64_t left = bits; left != 0; left &= left - 1) {
      index[n++] = static_cast<int32_t>(block.row(std::countr_zero(left)));
    }
    kernels_.dot_listed(query.vector, args_.rows, index, n, args_.dim, dots);
    const Block listed = {.n = n, .index = index};
    load_terms(listed);
    finish(listed, ~uint64_t{0}, dots, query);
  }

  // Points scales_ and bias_ at the block's values, gathered first when its rows are scattered.
  void load_terms(const Block& block) {
    scales_ = args_.row_scales + block.first;
    bias_ = args_.row_bias == nullptr ? nullptr : args_.row_bias + block.first;
    if (block.index == nullptr) return;
    for (int64_t i = 0; i < block.n; ++i) gathered_scales_[i] = args_.row_scales[block.index[i]];
    scales_ = gathered_scales_;
    if (args_.row_bias == nullptr) return;
    for (int64_t i = 0; i < block.n; ++i) gathered_bias_[i] = args_.row_bias[block.index[i]];
    bias_ = gathered_bias_;
  }

  void finish(const Block& block, uint64_t bits, const int32_t* dots, Query& query) {
    float scores[kWordRows];
    const float floor = query.floor.load(std::memory_order_relaxed);
    bits &= kernels_.score(dots, scales_, bias_, block.n, query.scoring, floor, scores);
    if (bits != 0) query.offer(bits, scores, args_.ordinals + block.first, block.index);
  }

  const IvfScan::Args& args_;
  const Int8Kernels& kernels_;
  int64_t n_queries_;
  int8_t* vectors_;
  int8_t* packed_;
  Query* queries_[kGroupQueries];
  int64_t scanned_[kGroupQueries] = {};
  int64_t pending_ = 0;
  int32_t pending_rows_[kWordRows];
  uint64_t pending_bits_[kGroupQueries];
  const float* scales_ = nullptr;
  const float* bias_ = nullptr;
  float gathered_scales_[kWordRows];
  float gathered_bias_[kWordRows];
};

// The kernels fetch ahead within a tile; the start of the next one is far away.
void fetch_start(const IvfScan::Args& args, const ScanTile& tile) {
  const int64_t row = tile.first_word * kWordRows;
  fetch(args.rows + row * args.dim, kAheadBytes);
  fetch(args.row_scales + row, kWordRows * 4);
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
    new (layout.queries + q) Query(vector, mask, scoring, layout.keys + q * Collector::capacity(layout.k), k);
  }
}

void write_query(const IvfScan::Args& args, const Layout& layout, int64_t q) {
  Query& query = layout.queries[q];
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

Status run(Context& context, const IvfScan::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  Layout layout(context, args, carve);
  const Status status = layout.plan.build(args);
  if (!status.ok()) return status;
  start_queries(args, layout);

  const Int8Kernels& kernels = runtime(context).simd.int8;
  ThreadPool& pool = runtime(context).pool;
  const std::span<const ScanTile> tiles = layout.plan.tiles();
  const auto scan_tile = [&](int64_t task, int32_t worker) {
    if (context.cancelled()) return;
    const ScanTile& tile = tiles[static_cast<size_t>(task)];
    const std::span<const int32_t> queries = layout.plan.queries(tile);
    if (task + 1 < static_cast<int64_t>(tiles.size())) fetch_start(args, tiles[static_cast<size_t>(task) + 1]);
    for (size_t first = 0; first < queries.size(); first += kGroupQueries) {
      const size_t count = std::min<size_t>(kGroupQueries, queries.size() - first);
      TileScan(args, kernels, layout, queries.subspan(first, count), worker).scan(tile);
    }
  };
  const auto n_tiles = static_cast<int64_t>(tiles.size());
  if (layout.plan.pairs() * args.dim < kSerialBytes) {
    for (int64_t task = 0; task < n_tiles; ++task) scan_tile(task, 0);
  } else {
    pool.parallel_for(n_tiles, scan_tile);
  }
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfScan::kName);

  pool.parallel_for(args.batch * args.heads, [&](int64_t q, int32_t) { write_query(args, layout, q); });
  for (int64_t request = 0; request < args.batch; ++request) {
    int64_t scanned = 0;
    for (int64_t head = 0; head < args.heads; ++head) scanned += layout.queries[request * args.heads + head].scanned;
    args.out_scanned[request] = scanned;
  }
  return ok_status();
}

}  // namespace

OpEntry<IvfScan::Args> ivf_scan_entry() { return {.workspace = workspace, .run = run}; }

}  // namespace silverlode::cpu
