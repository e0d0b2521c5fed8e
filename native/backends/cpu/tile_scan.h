// Scoring of rows against groups of queries, with mask and selection: the inner part of ivf_scan. Not an op.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "backends/cpu/scan_plan.h"
#include "backends/cpu/select.h"
#include "backends/cpu/simd/simd_table.h"

namespace silverlode::cpu {

constexpr int64_t kGroupQueries = 32;  // queries that share one pass over a tile

// One query (a head of a request). Threads that scan for it share its collector: results depend only on the set of keys,
// and a bar raised by one thread spares the others work.
struct alignas(64) ScanQuery {
  ScanQuery(const int8_t* values, const uint64_t* mask_row, const Scoring& how, RankKey* storage, int64_t k)
      : vector(values), mask(mask_row), scoring(how), collector(storage, k), floor(collector.floor()) {}

  // Takes in the rows of `bits`; ordinals are those of consecutive rows, or looked up by index where there is one.
  void offer(uint64_t bits, const float* scores, const int32_t* ordinals, const int32_t* index);

  const int8_t* vector;
  const uint64_t* mask;
  Scoring scoring;
  Collector collector;
  std::atomic<float> floor;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

// What a worker keeps to itself.
struct ScanScratch {
  int8_t* vectors;   // [kGroupQueries, dim] the vectors of a group side by side
  int8_t* packed;    // [kWordRows, dim] scattered rows side by side
  int64_t* scanned;  // [queries] rows scored
};

// Fetches the words of a run of tiles ahead of the scan. Clusters lie anywhere, so that the processor's own prefetching
// starts afresh at each.
class Lookahead {
 public:
  Lookahead(const IvfScan::Args& args, const FilterKernels& kernels, const ScanPlan& plan, const ScanQuery* queries,
            std::span<const ScanTile> tiles);

  // Some words further; called before they are scored.
  void advance(int64_t words);

 private:
  const IvfScan::Args& args_;
  const FilterKernels& kernels_;
  const ScanPlan& plan_;
  const ScanQuery* queries_;
  std::span<const ScanTile> tiles_;
  size_t tile_ = 0;
  int64_t word_ = 0;                // within the tile
  int64_t owed_ = 0;                // words to go; negative after a tile that was passed over
  const uint64_t* mask_ = nullptr;  // of the tile's first query
};

// One group of queries over tiles that all of them probe.
class TileScan {
 public:
  TileScan(const IvfScan::Args& args, const SimdTable& simd, ScanQuery* queries, std::span<const int32_t> group,
           const ScanScratch& scratch);

  // `ahead` may be null.
  void scan(const ScanTile& tile, Lookahead* ahead);
  // Rows that wait for company, and the counts.
  void finish();

 private:
  // Up to 64 rows to score together: consecutive ones from `first`, or those in `index`.
  struct Block {
    int64_t n = 0;
    int64_t first = 0;
    const int32_t* index = nullptr;

    int64_t row(int64_t i) const { return index == nullptr ? first + i : index[i]; }
  };

  // Scattered rows, fetched while the list before is scored.
  struct Waiting {
    int64_t n = 0;
    int32_t rows[kWordRows];
    uint64_t bits[kGroupQueries];  // by mask
  };

  void scan_word(int64_t word);
  void scan_alone(const ScanTile& tile, Lookahead* ahead);
  void scan_word_alone(int64_t word);
  void list(int64_t word, int64_t n_words);
  void score_listed(int64_t least);
  void wait(int64_t word, const uint64_t* bits, uint64_t any, int64_t count);
  void score_waiting(Waiting& list);
  void score(const Block& block, const uint64_t* bits);
  void score_together(const Block& block, const uint64_t* bits);
  void dot_block(const Block& block, int32_t* dots);
  void dot_few_rows(const Block& block, int32_t* dots);
  void score_alone(const Block& block, uint64_t bits, ScanQuery& query);
  void load_terms(const Block& block);
  void select(const Block& block, uint64_t bits, const int32_t* dots, ScanQuery& query);

  const IvfScan::Args& args_;
  const Int8Kernels& kernels_;
  const FilterKernels& filter_;
  const ScanScratch& scratch_;
  std::span<const int32_t> group_;
  int64_t n_queries_;
  ScanQuery* queries_[kGroupQueries];
  // Queries with the same filter share a mask, which is looked at once.
  int64_t n_masks_ = 0;
  const uint64_t* masks_[kGroupQueries];
  int64_t mask_of_[kGroupQueries];
  int64_t members_[kGroupQueries];
  int64_t scanned_[kGroupQueries];
  Waiting waiting_[2];
  int32_t newest_ = 0;
  // For a single query, instead of the above: rows in the order they were found, the first of which are fetched.
  int32_t listed_[(kTileWords + 2) * kWordRows + kListSlack];
  int64_t n_listed_ = 0;
  int64_t fetched_ = 0;
  const float* scales_ = nullptr;
  const float* bias_ = nullptr;
  float gathered_scales_[kWordRows];
  float gathered_bias_[kWordRows];
};

}  // namespace silverlode::cpu
