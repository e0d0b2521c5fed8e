#include "backends/cuda/backend.h"

namespace silverlode::cuda {

// clang-format off: one entry a line, in the order of the table.
const BackendTable& backend_table() {
  static const BackendTable table = {
      kBackendTableVersion,
      "cuda",
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
      ivf_search_entry(),
      kmeans_seed_entry(),
      l2_normalize_entry(),
      layer_norm_entry(),
      linear_entry(),
      merge_top_k_entry(),
      mixture_of_logits_entry(),
      over_arch_entry(),
      quantize_int8_entry(),
      rescore_entry(),
      rotate_entry(),
      slice_build_entry(),
      top_k_entry(),
      update_centroids_entry(),
      value_model_entry(),
  };
  return table;
}

// clang-format on

}  // namespace silverlode::cuda
