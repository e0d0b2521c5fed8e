#include "ops/top_k.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/select.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kTaskColumns = 16384;  // less work than this is not worth a task of its own

// Many rows: tasks are groups of rows, and a worker reuses one collector. Few long rows: each is cut into segments with a
// collector each, and the row's first collector then takes in what the others kept.
struct Layout {
  int64_t k, segments, rows_per_task;
  RankKey* storage;

  Layout(const Context& context, const TopK::Args& args, Carve& carve) {
    const int64_t threads = runtime(context).pool.threads();
    k = std::min(args.k, args.columns);
    segments = 1;
    if (args.rows > 0 && args.rows < threads) {
      const int64_t wanted = (threads + args.rows - 1) / args.rows;
      segments = std::clamp<int64_t>(args.columns / std::max(kTaskColumns, 4 * k), 1, wanted);
    }
    rows_per_task = std::max<int64_t>(1, kTaskColumns / std::max<int64_t>(1, args.columns));
    // For any smaller number of rows too, which may be cut into more segments: never 2 * threads of them.
    const int64_t collectors = args.columns < 2 * kTaskColumns ? threads : 2 * threads;
    storage = carve.take<RankKey>(collectors * Collector::capacity(k));
  }
};

size_t workspace(const Context& context, const TopK::Args& args) {
  Carve carve;
  Layout(context, args, carve);
  return carve.bytes();
}

// Calls visit(column, key) for every entry of columns [begin, end) whose score is not below floor().
template <class Floor, class Visit>
void for_entries(const Int8Kernels& kernels, const TopK::Args& args, int64_t row, int64_t begin, int64_t end,
                 const Floor& floor, const Visit& visit) {
  const float* scores = args.scores + row * args.columns;
  const int32_t* payload = args.has_payload ? args.payload + row * args.columns : nullptr;
  for (int64_t first = begin; first < end; first += kScoreRows) {
    uint64_t bits = kernels.passing(scores + first, std::min(kScoreRows, end - first), floor());
    for (; bits != 0; bits &= bits - 1) {
      const int64_t column = first + std::countr_zero(bits);
      const int32_t id = payload == nullptr ? static_cast<int32_t>(column) : payload[column];
      if (id >= 0) visit(column, make_key(scores[column], static_cast<uint32_t>(id)));
    }
  }
}

// A floor is guessed from a sample where that is cheap beside reading the scores, and with more samples where k is large.
constexpr int64_t kFewSamples = 1024;
constexpr int64_t kManySamples = 4096;
constexpr int64_t kDeep = 1024;  // a k that pays for the larger sample
constexpr float kNoFloor = -std::numeric_limits<float>::infinity();

// A score that more than k of columns [begin, end) probably reach, from evenly spaced samples of them; -Infinity where
// guessing does not pay. Without it the bar of a collector rises quickly over scores in random order, but ascending
// scores would all be taken in.
float guess_floor(const TopK::Args& args, int64_t row, int64_t begin, int64_t end, int64_t k) {
  const int64_t n = end - begin;
  const int64_t samples = k < kDeep ? kFewSamples : kManySamples;
  if (n < 4 * k || n < 16 * samples) return kNoFloor;
  const float* scores = args.scores + row * args.columns + begin;
  RankKey sample[kManySamples];
  for (int64_t i = 0; i < samples; ++i) sample[i] = make_key(scores[i * (n / samples)], static_cast<uint32_t>(i));
  const double expected = static_cast<double>(samples) * static_cast<double>(k) / static_cast<double>(n);
  const double safe = expected + 4.0 * std::sqrt(expected) + 1.0;  // four standard deviations
  return key_score(select_top(sample, samples, static_cast<int64_t>(safe)));
}

Collector collect_from(float floor, const Int8Kernels& kernels, const TopK::Args& args, int64_t row, int64_t begin,
                       int64_t end, int64_t k, RankKey* storage) {
  Collector collector(storage, k);
  if (floor > kNoFloor) collector.raise_floor(floor);
  for_entries(
      kernels, args, row, begin, end, [&] { return collector.floor(); },
      [&](int64_t, RankKey key) { collector.push(key); });
  return collector;
}

// The best k of columns [begin, end); a guess that was too high costs a second look.
Collector collect(const Int8Kernels& kernels, const TopK::Args& args, int64_t row, int64_t begin, int64_t end,
                  int64_t k, RankKey* storage) {
  const float guess = guess_floor(args, row, begin, end, k);
  if (guess > kNoFloor) {
    Collector collector = collect_from(guess, kernels, args, row, begin, end, k, storage);
    if (collector.shrink() == k) return collector;
  }
  return collect_from(kNoFloor, kernels, args, row, begin, end, k, storage);
}

// A key holds the payload but not the column, so the columns are found by a second look at the row. Equal keys take theirs
// in ascending order: within a run of them the columns given so far are a prefix.
void find_positions(const Int8Kernels& kernels, const TopK::Args& args, int64_t row, const RankKey* keys, int64_t count,
                    int32_t* positions) {
  std::fill(positions, positions + count, -1);
  if (count == 0) return;
  const RankKey last = keys[count - 1];
  const auto take = [&](int64_t column, RankKey key) {
    if (key < last) return;
    int64_t begin = 0;
    int64_t end = count;
    while (begin < end) {
      const int64_t middle = (begin + end) / 2;
      const bool before = keys[middle] > key || (keys[middle] == key && positions[middle] >= 0);
      (before ? begin : end) = before ? middle + 1 : middle;
    }
    if (begin < count && keys[begin] == key) positions[begin] = static_cast<int32_t>(column);
  };
  for_entries(kernels, args, row, 0, args.columns, [floor = key_score(last)] { return floor; }, take);
}

void write_row(const Int8Kernels& kernels, const TopK::Args& args, int64_t row, Collector& collector) {
  const int64_t count = collector.finish();
  const RankKey* keys = collector.keys();
  float* scores = args.out_scores + row * args.k;
  int32_t* ids = args.out_ids + row * args.k;
  int32_t* positions = args.out_positions + row * args.k;
  for (int64_t i = 0; i < count; ++i) {
    scores[i] = key_score(keys[i]);
    ids[i] = static_cast<int32_t>(key_ordinal(keys[i]));
  }
  if (!args.has_payload) {
    std::copy(ids, ids + count, positions);
  } else {
    find_positions(kernels, args, row, keys, count, positions);
  }
  std::fill(scores + count, scores + args.k, -std::numeric_limits<float>::infinity());
  std::fill(ids + count, ids + args.k, -1);
  std::fill(positions + count, positions + args.k, -1);
}

Status run(Context& context, const TopK::Args& args, Workspace workspace) {
  Carve carve(workspace.data);
  const Layout layout(context, args, carve);
  const Int8Kernels& kernels = runtime(context).simd.int8;
  ThreadPool& pool = runtime(context).pool;
  const int64_t capacity = Collector::capacity(layout.k);

  if (layout.segments == 1) {
    const int64_t tasks = (args.rows + layout.rows_per_task - 1) / layout.rows_per_task;
    pool.parallel_for(tasks, [&](int64_t task, int32_t worker) {
      const int64_t end = std::min(args.rows, (task + 1) * layout.rows_per_task);
      for (int64_t row = task * layout.rows_per_task; row < end; ++row) {
        Collector collector =
            collect(kernels, args, row, 0, args.columns, layout.k, layout.storage + worker * capacity);
        write_row(kernels, args, row, collector);
      }
    });
    return ok_status();
  }

  // Each segment leaves its count in the last slot of its storage, which a shrunk collector never uses.
  const int64_t segment_columns = (args.columns + layout.segments - 1) / layout.segments;
  pool.parallel_for(args.rows * layout.segments, [&](int64_t task, int32_t) {
    const int64_t begin = task % layout.segments * segment_columns;
    const int64_t end = std::min(args.columns, begin + segment_columns);
    RankKey* storage = layout.storage + task * capacity;
    Collector collector = collect(kernels, args, task / layout.segments, begin, end, layout.k, storage);
    storage[capacity - 1] = static_cast<RankKey>(collector.shrink());
  });
  pool.parallel_for(args.rows, [&](int64_t row, int32_t) {
    RankKey* storage = layout.storage + row * layout.segments * capacity;
    Collector collector(storage, layout.k, static_cast<int64_t>(storage[capacity - 1]));
    for (int64_t segment = 1; segment < layout.segments; ++segment) {
      const RankKey* kept = storage + segment * capacity;
      collector.push_all(kept, static_cast<int64_t>(kept[capacity - 1]));
    }
    write_row(kernels, args, row, collector);
  });
  return ok_status();
}

}  // namespace

template <>
OpEntry<TopK::Args> entry<TopK>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
