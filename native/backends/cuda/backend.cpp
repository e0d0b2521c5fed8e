#include "backends/cuda/backend.h"

namespace silverlode::cuda {

namespace {

// An op whose kernels are not linked in has no entry.
template <class Entry>
Entry made(Entry (*make)()) {
  return make == nullptr ? Entry{} : make();
}

}  // namespace

// clang-format off: one entry a line, in the order of the table.
const BackendTable& backend_table() {
  static const BackendTable table = {
      kBackendTableVersion,
      "cuda",
      made(assign_clusters_entry),
      made(balance_clusters_entry),
      made(bloom_build_entry),
      made(bloom_layout_entry),
      made(bloom_probe_entry),
      made(concat_entry),
      made(elementwise_entry),
      made(embedding_bag_entry),
      made(filter_check_entry),
      made(filter_eval_entry),
      made(gather_rows_entry),
      made(ivf_probe_entry),
      made(ivf_scan_entry),
      made(kmeans_seed_entry),
      made(l2_normalize_entry),
      made(layer_norm_entry),
      made(linear_entry),
      made(merge_top_k_entry),
      made(over_arch_entry),
      made(quantize_int8_entry),
      made(slice_build_entry),
      made(top_k_entry),
      made(update_centroids_entry),
      made(value_model_entry),
  };
  return table;
}

// clang-format on

}  // namespace silverlode::cuda
