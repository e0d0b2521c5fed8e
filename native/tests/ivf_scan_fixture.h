// A random ivf_scan call.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "ops/ivf_scan.h"
#include "tests/op_harness.h"

namespace silverlode::cpu {

// Everything an ivf_scan reads. Cluster sizes are in rows before padding to 64.
struct ScanInputs {
  ScanInputs(const std::vector<int64_t>& sizes, int64_t batch, int64_t heads, int64_t dim, std::mt19937& random) {
    begin.values = {0};
    std::vector<int32_t> shuffled;
    for (int64_t size : sizes) {
      const int64_t padded = (size + 63) / 64 * 64;
      for (int64_t i = 0; i < padded; ++i) {
        ordinals.values.push_back(i < size ? static_cast<int32_t>(shuffled.size()) : -1);
        if (i < size) shuffled.push_back(static_cast<int32_t>(shuffled.size()));
      }
      begin.values.push_back(begin.values.back() + static_cast<int32_t>(padded));
    }
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    for (int32_t& ordinal : ordinals.values) {
      if (ordinal >= 0) ordinal = shuffled[static_cast<size_t>(ordinal)];
    }
    const int64_t n = begin.values.back();
    const int64_t n_clusters = static_cast<int64_t>(sizes.size());
    queries = {{batch, heads, dim}, draw_bytes(batch * heads * dim, random)};
    query_scales = {{batch, heads}, draw_floats(batch * heads, random)};
    rows = {{n, dim}, draw_bytes(n * dim, random)};
    row_scales = {{n}, draw_floats(n, random)};
    bias = {{n}, draw_floats(n, random)};
    ordinals.shape = {n};
    begin.shape = {n_clusters + 1};
    live = {{n / 64}, std::vector<int64_t>(static_cast<size_t>(n / 64))};
    for (int64_t row = 0; row < n; ++row) set(live.values, row, ordinals.values[static_cast<size_t>(row)] >= 0);
    clusters = {{batch, heads, n_clusters}, std::vector<int32_t>(static_cast<size_t>(batch * heads * n_clusters), -1)};
    counts = {{batch, heads}, std::vector<int32_t>(static_cast<size_t>(batch * heads))};
    mask = {{batch, n / 64}, std::vector<int64_t>(static_cast<size_t>(batch * n / 64))};
    mask_of = {{batch}, std::vector<int32_t>(static_cast<size_t>(batch), -1)};
    limits = {{batch}, std::vector<int32_t>(static_cast<size_t>(batch), 1 << 30)};
    probe_all();
  }

  static std::vector<int8_t> draw_bytes(int64_t n, std::mt19937& random) {
    std::vector<int8_t> bytes(static_cast<size_t>(n));
    for (int8_t& byte : bytes) byte = static_cast<int8_t>(static_cast<int32_t>(random() % 255) - 127);
    return bytes;
  }
  // Few distinct values, so that scores tie.
  static std::vector<float> draw_floats(int64_t n, std::mt19937& random) {
    std::vector<float> floats(static_cast<size_t>(n));
    for (float& value : floats) value = static_cast<float>(random() % 4) / 64.0f;
    return floats;
  }
  static void set(std::vector<int64_t>& words, int64_t row, bool on) {
    const int64_t bit = static_cast<int64_t>(uint64_t{1} << (row % 64));
    int64_t& word = words[static_cast<size_t>(row / 64)];
    word = on ? word | bit : word & ~bit;
  }

  void probe_all() {
    const int64_t n_clusters = clusters.shape.dim(2);
    for (size_t i = 0; i < clusters.values.size(); ++i)
      clusters.values[i] = static_cast<int32_t>(static_cast<int64_t>(i) % n_clusters);
    std::fill(counts.values.begin(), counts.values.end(), static_cast<int32_t>(n_clusters));
  }

  OpResult run(int64_t k, const char* metric = "ip", bool biased = false, int32_t threads = 1,
               SimdLevel level = best_simd_level(), const volatile uint32_t* cancel = nullptr) const {
    return run_op<IvfScan>(entry<IvfScan>(), attributes(k, metric), inputs(biased), threads, level, cancel);
  }

  static Attributes attributes(int64_t k, const char* metric) {
    Attributes attributes;
    attributes.values["k"] = k;
    attributes.values["metric"] = std::string(metric);
    return attributes;
  }
  std::vector<TensorView> inputs(bool biased) const {
    return {queries.view(),  query_scales.view(), rows.view(),  row_scales.view(), biased ? bias.view() : TensorView{},
            ordinals.view(), begin.view(),        live.view(),  clusters.view(),   counts.view(),
            mask.view(),     mask_of.view(),      limits.view()};
  }

  Tensor<int8_t> queries, rows;
  Tensor<float> query_scales, row_scales, bias;
  Tensor<int32_t> ordinals, begin, clusters, counts, mask_of, limits;
  Tensor<int64_t> live, mask;
};

}  // namespace silverlode::cpu
