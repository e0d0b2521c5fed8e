// Scanning lists of clusters for a batch of queries, whose best rows so far stay from one call to the next: the part that
// ivf_scan and ivf_search share. Not an op.
#pragma once

#include "backends/carve.h"
#include "backends/cpu/backend.h"
#include "backends/cpu/scan_plan.h"
#include "backends/cpu/tile_scan.h"

namespace silverlode::cpu {

class Scan {
 public:
  // Takes memory by the sizes in Args alone, which must outlive the scan.
  Scan(const Context& context, const IvfScan::Args& args, Carve& carve);

  // Queries without a row yet.
  void begin();
  // Scores the rows of the listed clusters; INVALID_ARGUMENT for entries out of range, ABORTED.
  Status scan(Context& context, const ScanLists& lists);
  // The score of the k-th best row of a query, where it has as many as its limit, k and all rows allow.
  bool has_kth(int64_t query, float& score);
  // Scores and ordinals of all queries, and rows scored.
  void write(Context& context);

 private:
  ScanScratch scratch(int32_t worker) const;
  void scan_tiles(Context& context, std::span<const ScanTile> tiles, const ScanScratch& scratch);
  void write_query(int64_t q);

  const IvfScan::Args& args_;
  int64_t k_, n_queries_, threads_;
  ScanPlan plan_;
  ScanQuery* queries_;
  RankKey* keys_;
  int8_t* vectors_;
  int8_t* packed_;
  int64_t* scanned_;
};

}  // namespace silverlode::cpu
