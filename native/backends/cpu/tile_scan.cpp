#include "backends/cpu/tile_scan.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <thread>

#include "core/bits.h"

namespace silverlode::cpu {

namespace {

constexpr int64_t kDenseRows = 40;  // of 64: from here it is cheaper to score all of them
constexpr int64_t kFewRows = 6;     // by kManyQueries, and rows are multiplied with queries instead
constexpr int64_t kManyQueries = 8;
constexpr int64_t kAheadBytes = 16 * 1024;  // of rows that are on their way; they stay in the first-level cache
constexpr int64_t kLine = 64;
constexpr int64_t kSparseRows = 10;  // per word of a tile, on average: below this no word is looked at alone
constexpr int64_t kRunRows = 16;     // rows at the start of a word that are scored without a list

bool is_sparse(int64_t rows, int64_t words) { return rows < kSparseRows * words; }

// How many rows a word has if they are its first ones, as where a cluster ends; else 0.
int64_t leading_rows(uint64_t bits) { return (bits & (bits + 1)) == 0 ? std::countr_one(bits) : 0; }

// Inline wherever they are used: a call of a function that only fetches has no effect in the eyes of GCC, which drops it.
[[gnu::always_inline]] inline void fetch(const void* from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(static_cast<const uint8_t*>(from) + at);
}

[[gnu::always_inline]] inline void fetch_rows(const IvfScan::Args& args, int64_t row, int64_t n) {
  fetch(args.rows + row * args.dim, std::min(n * args.dim, kAheadBytes));
  fetch(args.row_scales + row, n * 4);
  fetch(args.ordinals + row, n * 4);
  if (args.row_bias != nullptr) fetch(args.row_bias + row, n * 4);
}

[[gnu::always_inline]] inline void fetch_row(const IvfScan::Args& args, int64_t row) {
  fetch(args.rows + row * args.dim, std::min(args.dim, kAheadBytes / kWordRows));
  fetch(args.row_scales + row, 1);
}

// The bits of `bits` at the places that `mask` has set, moved together.
uint64_t compress(uint64_t bits, uint64_t mask) {
  if (bits == mask) return (uint64_t{1} << count_bits(mask)) - 1;  // fewer than kDenseRows bits
  uint64_t result = 0;
  for (uint64_t to = 1; mask != 0; mask &= mask - 1, to <<= 1) {
    if (bits & mask & (~mask + 1)) result |= to;
  }
  return result;
}

}  // namespace

void ScanQuery::offer(uint64_t bits, const float* scores, const int32_t* ordinals, const int32_t* index) {
  while (busy.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  for (; bits != 0; bits &= bits - 1) {
    const int32_t i = std::countr_zero(bits);
    collector.push(make_key(scores[i], static_cast<uint32_t>(ordinals[index == nullptr ? i : index[i]])));
  }
  floor.store(collector.floor(), std::memory_order_relaxed);
  busy.clear(std::memory_order_release);
}

Lookahead::Lookahead(const IvfScan::Args& args, const FilterKernels& kernels, const ScanPlan& plan,
                     const ScanQuery* queries, std::span<const ScanTile> tiles)
    : args_(args), kernels_(kernels), plan_(plan), queries_(queries), tiles_(tiles) {
  const int64_t word_bytes = kWordRows * args.dim;
  advance((kAheadBytes + word_bytes - 1) / word_bytes);
}

void Lookahead::advance(int64_t words) {
  for (owed_ += words; owed_ > 0 && tile_ < tiles_.size();) {
    const ScanTile& tile = tiles_[tile_];
    if (word_ == 0) {
      mask_ = queries_[plan_.queries(tile).front()].mask + tile.first_word;
      // Scattered rows are fetched one by one when they are listed.
      if (is_sparse(kernels_.popcount(mask_, tile.n_words), tile.n_words)) {
        owed_ -= tile.n_words;
        ++tile_;
        continue;
      }
    }
    const int64_t rows = leading_rows(mask_[word_]);
    if (rows > 0 || count_bits(mask_[word_]) >= kDenseRows) {
      fetch_rows(args_, (tile.first_word + word_) * kWordRows, rows > 0 ? rows : kWordRows);
    }
    --owed_;
    if (++word_ < tile.n_words) continue;
    ++tile_;
    word_ = 0;
  }
}

TileScan::TileScan(const IvfScan::Args& args, const SimdTable& simd, ScanQuery* queries, std::span<const int32_t> group,
                   const ScanScratch& scratch)
    : args_(args),
      kernels_(simd.int8),
      filter_(simd.filter),
      scratch_(scratch),
      group_(group),
      n_queries_(static_cast<int64_t>(group.size())) {
  for (int64_t q = 0; q < n_queries_; ++q) {
    queries_[q] = queries + group[static_cast<size_t>(q)];
    int64_t mask = n_masks_ - 1;
    while (mask >= 0 && masks_[mask] != queries_[q]->mask) --mask;
    if (mask < 0) {
      mask = n_masks_++;
      masks_[mask] = queries_[q]->mask;
      members_[mask] = 0;
      scanned_[mask] = 0;
    }
    mask_of_[q] = mask;
    ++members_[mask];
  }
  if (n_queries_ == 1) return;
  for (int64_t q = 0; q < n_queries_; ++q) {
    std::memcpy(scratch.vectors + q * args.dim, queries_[q]->vector, static_cast<size_t>(args.dim));
  }
}

void TileScan::scan(const ScanTile& tile, Lookahead* ahead) {
  if (n_queries_ == 1) return scan_alone(tile, ahead);
  for (int64_t word = tile.first_word; word < tile.first_word + tile.n_words; ++word) {
    if (ahead != nullptr) ahead->advance(1);
    scan_word(word);
  }
}

void TileScan::finish() {
  if (n_queries_ == 1) {
    score_listed(1);
  } else {
    score_waiting(waiting_[1 - newest_]);
    score_waiting(waiting_[newest_]);
  }
  for (int64_t q = 0; q < n_queries_; ++q) scratch_.scanned[group_[static_cast<size_t>(q)]] += scanned_[mask_of_[q]];
}

void TileScan::scan_word(int64_t word) {
  uint64_t bits[kGroupQueries];
  uint64_t any = 0;
  for (int64_t m = 0; m < n_masks_; ++m) {
    bits[m] = masks_[m][word];
    any |= bits[m];
    scanned_[m] += count_bits(bits[m]);
  }
  if (any == 0) return;
  if (const int64_t rows = leading_rows(any); rows > 0) return score({.n = rows, .first = word * kWordRows}, bits);
  const int64_t count = count_bits(any);
  if (count < kDenseRows) {
    wait(word, bits, any, count);
  } else {
    score({.n = kWordRows, .first = word * kWordRows}, bits);
  }
}

void TileScan::scan_alone(const ScanTile& tile, Lookahead* ahead) {
  const int64_t count = filter_.popcount(masks_[0] + tile.first_word, tile.n_words);
  scanned_[0] += count;
  if (is_sparse(count, tile.n_words)) {
    if (ahead != nullptr) ahead->advance(tile.n_words);
    return list(tile.first_word, tile.n_words);
  }
  for (int64_t word = tile.first_word; word < tile.first_word + tile.n_words; ++word) {
    if (ahead != nullptr) ahead->advance(1);
    scan_word_alone(word);
  }
}

void TileScan::scan_word_alone(int64_t word) {
  const uint64_t bits = masks_[0][word];
  const int64_t rows = leading_rows(bits);
  if (rows >= kRunRows) {
    score_alone({.n = rows, .first = word * kWordRows}, bits, *queries_[0]);
  } else if (count_bits(bits) >= kDenseRows) {
    score_alone({.n = kWordRows, .first = word * kWordRows}, bits, *queries_[0]);
  } else if (bits != 0) {
    list(word, 1);
  }
}

void TileScan::list(int64_t word, int64_t n_words) {
  const auto first = static_cast<int32_t>(word * kWordRows);
  n_listed_ += filter_.list_rows(masks_[0] + word, n_words, first, listed_ + n_listed_);
  score_listed(2 * kWordRows);
}

// Scores what is listed, a block at a time, as long as it is at least `least` rows. The block after is fetched meanwhile.
void TileScan::score_listed(int64_t least) {
  int64_t done = 0;
  for (;;) {
    for (const int64_t end = std::min(n_listed_, done + 2 * kWordRows); fetched_ < end; ++fetched_) {
      fetch_row(args_, listed_[fetched_]);
    }
    const int64_t n = std::min(n_listed_ - done, kWordRows);
    if (n_listed_ - done < least) break;
    score_alone({.n = n, .index = listed_ + done}, n == kWordRows ? ~uint64_t{0} : (uint64_t{1} << n) - 1,
                *queries_[0]);
    done += n;
  }
  std::copy(listed_ + done, listed_ + n_listed_, listed_);
  n_listed_ -= done;
  fetched_ -= done;
}

void TileScan::wait(int64_t word, const uint64_t* bits, uint64_t any, int64_t count) {
  if (waiting_[newest_].n + count > kWordRows) {
    newest_ = 1 - newest_;
    score_waiting(waiting_[newest_]);
  }
  Waiting& list = waiting_[newest_];
  for (int64_t m = 0; m < n_masks_; ++m) {
    if (list.n == 0) list.bits[m] = 0;
    list.bits[m] |= compress(bits[m], any) << list.n;
  }
  for (; any != 0; any &= any - 1) {
    const int64_t row = word * kWordRows + std::countr_zero(any);
    fetch_row(args_, row);
    list.rows[list.n++] = static_cast<int32_t>(row);
  }
}

void TileScan::score_waiting(Waiting& list) {
  if (list.n > 0) score({.n = list.n, .index = list.rows}, list.bits);
  list.n = 0;
}

// A tile of all pairs pays when most of them are wanted; otherwise each query goes alone. `bits` by mask.
void TileScan::score(const Block& block, const uint64_t* bits) {
  int64_t wanted = 0;
  for (int64_t m = 0; m < n_masks_; ++m) wanted += members_[m] * count_bits(bits[m]);
  if (n_queries_ > 1 && 2 * wanted >= block.n * n_queries_) {
    score_together(block, bits);
    return;
  }
  for (int64_t q = 0; q < n_queries_; ++q) {
    if (bits[mask_of_[q]] != 0) score_alone(block, bits[mask_of_[q]], *queries_[q]);
  }
}

void TileScan::score_together(const Block& block, const uint64_t* bits) {
  int32_t dots[kGroupQueries * kWordRows];
  if (block.n <= kFewRows && n_queries_ >= kManyQueries) {
    dot_few_rows(block, dots);
  } else {
    dot_block(block, dots);
  }
  load_terms(block);
  for (int64_t q = 0; q < n_queries_; ++q) {
    const uint64_t wanted = bits[mask_of_[q]];
    if (wanted != 0) select(block, wanted, dots + q * block.n, *queries_[q]);
  }
}

void TileScan::dot_block(const Block& block, int32_t* dots) {
  const int8_t* rows = args_.rows + block.first * args_.dim;
  if (block.index != nullptr) {
    rows = scratch_.packed;
    for (int64_t i = 0; i < block.n; ++i) {
      std::memcpy(scratch_.packed + i * args_.dim, args_.rows + block.row(i) * args_.dim,
                  static_cast<size_t>(args_.dim));
    }
  }
  kernels_.dot_tile(scratch_.vectors, n_queries_, rows, block.n, args_.dim, dots);
}

// A tile has lanes along its rows; few rows leave most of them idle. Here queries take the part of rows.
void TileScan::dot_few_rows(const Block& block, int32_t* dots) {
  int32_t by_row[kGroupQueries];
  for (int64_t i = 0; i < block.n; ++i) {
    kernels_.dot_rows(args_.rows + block.row(i) * args_.dim, scratch_.vectors, n_queries_, args_.dim, by_row);
    for (int64_t q = 0; q < n_queries_; ++q) dots[q * block.n + i] = by_row[q];
  }
}

void TileScan::score_alone(const Block& block, uint64_t bits, ScanQuery& query) {
  int32_t dots[kWordRows];
  const int64_t count = count_bits(bits);
  if (block.index == nullptr && (count >= kDenseRows || count == block.n)) {
    kernels_.dot_rows(query.vector, args_.rows + block.first * args_.dim, block.n, args_.dim, dots);
    load_terms(block);
    select(block, bits, dots, query);
    return;
  }
  if (block.index != nullptr && count == block.n) {
    kernels_.dot_listed(query.vector, args_.rows, block.index, block.n, args_.dim, dots);
    load_terms(block);
    select(block, bits, dots, query);
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
  select(listed, ~uint64_t{0}, dots, query);
}

// Points scales_ and bias_ at the block's values, gathered first when its rows are scattered.
void TileScan::load_terms(const Block& block) {
  scales_ = args_.row_scales + block.first;
  bias_ = args_.row_bias == nullptr ? nullptr : args_.row_bias + block.first;
  if (block.index == nullptr) return;
  for (int64_t i = 0; i < block.n; ++i) gathered_scales_[i] = args_.row_scales[block.index[i]];
  scales_ = gathered_scales_;
  if (args_.row_bias == nullptr) return;
  for (int64_t i = 0; i < block.n; ++i) gathered_bias_[i] = args_.row_bias[block.index[i]];
  bias_ = gathered_bias_;
}

void TileScan::select(const Block& block, uint64_t bits, const int32_t* dots, ScanQuery& query) {
  float scores[kWordRows];
  const float floor = query.floor.load(std::memory_order_relaxed);
  bits &= kernels_.score(dots, scales_, bias_, block.n, query.scoring, floor, scores);
  if (bits != 0) query.offer(bits, scores, args_.ordinals + block.first, block.index);
}

}  // namespace silverlode::cpu
