// The CUDA backend: one function per op (`<op>.cu` beside this file), filled into the table that the plugin hands over.
#pragma once

#include "ops/backend_table.h"

namespace silverlode::cuda {

const BackendTable& backend_table();

// One function per op that fills its table entry; each lives in <op>.cu.
[[gnu::weak]] OpEntry<AssignClusters::Args> assign_clusters_entry();
[[gnu::weak]] OpEntry<BalanceClusters::Args> balance_clusters_entry();
[[gnu::weak]] OpEntry<BloomBuild::Args> bloom_build_entry();
[[gnu::weak]] OpEntry<BloomLayout::Args> bloom_layout_entry();
[[gnu::weak]] OpEntry<BloomProbe::Args> bloom_probe_entry();
[[gnu::weak]] OpEntry<Concat::Args> concat_entry();
[[gnu::weak]] OpEntry<Elementwise::Args> elementwise_entry();
[[gnu::weak]] OpEntry<EmbeddingBag::Args> embedding_bag_entry();
[[gnu::weak]] OpEntry<FilterCheck::Args> filter_check_entry();
[[gnu::weak]] OpEntry<FilterEval::Args> filter_eval_entry();
[[gnu::weak]] OpEntry<GatherRows::Args> gather_rows_entry();
[[gnu::weak]] OpEntry<IvfProbe::Args> ivf_probe_entry();
[[gnu::weak]] OpEntry<IvfScan::Args> ivf_scan_entry();
[[gnu::weak]] OpEntry<KmeansSeed::Args> kmeans_seed_entry();
[[gnu::weak]] OpEntry<L2Normalize::Args> l2_normalize_entry();
[[gnu::weak]] OpEntry<LayerNorm::Args> layer_norm_entry();
[[gnu::weak]] OpEntry<Linear::Args> linear_entry();
[[gnu::weak]] OpEntry<MergeTopK::Args> merge_top_k_entry();
[[gnu::weak]] OpEntry<OverArch::Args> over_arch_entry();
[[gnu::weak]] OpEntry<QuantizeInt8::Args> quantize_int8_entry();
[[gnu::weak]] OpEntry<SliceBuild::Args> slice_build_entry();
[[gnu::weak]] OpEntry<TopK::Args> top_k_entry();
[[gnu::weak]] OpEntry<UpdateCentroids::Args> update_centroids_entry();
[[gnu::weak]] OpEntry<ValueModel::Args> value_model_entry();

}  // namespace silverlode::cuda
