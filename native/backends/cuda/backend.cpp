#include "backends/cuda/backend.h"

namespace silverlode::cuda {

// clang-format off: one entry a line, in the order of the table.
const BackendTable& backend_table() {
  static const BackendTable table = {
      kBackendTableVersion,
      "cuda",
<<<<<<< HEAD
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
      OpEntry<MixtureOfLogits::Args>{},
      made(over_arch_entry),
      made(quantize_int8_entry),
      made(slice_build_entry),
      made(top_k_entry),
      made(update_centroids_entry),
      made(value_model_entry),
=======
      assign_clusters_entry(),
      balance_clusters_entry(),
      bloom_build_entry(),
      bloom_layout_entry(),
      bloom_probe_entry(),
      concat_entry(),
      elementwise_entry(),
      embedding_bag_entry(),
      filter_check_entry(),
      filter_eval_entry(),
      gather_rows_entry(),
      ivf_probe_entry(),
      ivf_scan_entry(),
      kmeans_seed_entry(),
      l2_normalize_entry(),
      layer_norm_entry(),
      linear_entry(),
      merge_top_k_entry(),
      over_arch_entry(),
      quantize_int8_entry(),
      slice_build_entry(),
      top_k_entry(),
      update_centroids_entry(),
      value_model_entry(),
>>>>>>> cuda-runtime
  };
  return table;
}

// clang-format on

}  // namespace silverlode::cuda
