// The CPU backend: built in, one function per op (`<op>.cpp` beside this file), SIMD chosen at run time.
#pragma once

#include "backends/cpu/simd/simd_table.h"
#include "backends/cpu/thread_pool.h"
#include "ops/backend_table.h"

namespace silverlode::cpu {

// What Context::backend points to.
struct Runtime {
  ThreadPool& pool;
  const SimdTable& simd;
};

inline Runtime& runtime(const Context& context) { return *static_cast<Runtime*>(context.backend); }

const BackendTable& backend_table();

// One function per op that fills its table entry; each lives in <op>.cpp.
OpEntry<AssignClusters::Args> assign_clusters_entry();
OpEntry<BalanceClusters::Args> balance_clusters_entry();
OpEntry<BloomBuild::Args> bloom_build_entry();
OpEntry<BloomLayout::Args> bloom_layout_entry();
OpEntry<BloomProbe::Args> bloom_probe_entry();
OpEntry<Concat::Args> concat_entry();
OpEntry<Elementwise::Args> elementwise_entry();
OpEntry<EmbeddingBag::Args> embedding_bag_entry();
OpEntry<FilterCheck::Args> filter_check_entry();
OpEntry<FilterEval::Args> filter_eval_entry();
OpEntry<GatherRows::Args> gather_rows_entry();
OpEntry<IvfProbe::Args> ivf_probe_entry();
OpEntry<IvfScan::Args> ivf_scan_entry();
OpEntry<IvfSearch::Args> ivf_search_entry();
OpEntry<KmeansSeed::Args> kmeans_seed_entry();
OpEntry<L2Normalize::Args> l2_normalize_entry();
OpEntry<LayerNorm::Args> layer_norm_entry();
OpEntry<Linear::Args> linear_entry();
OpEntry<MergeTopK::Args> merge_top_k_entry();
OpEntry<MixtureOfLogits::Args> mixture_of_logits_entry();
OpEntry<OverArch::Args> over_arch_entry();
OpEntry<QuantizeInt8::Args> quantize_int8_entry();
OpEntry<Rescore::Args> rescore_entry();
OpEntry<Rotate::Args> rotate_entry();
OpEntry<SliceBuild::Args> slice_build_entry();
OpEntry<TopK::Args> top_k_entry();
OpEntry<UpdateCentroids::Args> update_centroids_entry();
OpEntry<ValueModel::Args> value_model_entry();

}  // namespace silverlode::cpu
