// What a backend is: a versioned table of functions, one entry per op, typed by the op's Args.
#pragma once

#include "ops/assign_clusters.h"
#include "ops/balance_clusters.h"
#include "ops/bloom_build.h"
#include "ops/bloom_layout.h"
#include "ops/bloom_probe.h"
#include "ops/concat.h"
#include "ops/elementwise.h"
#include "ops/embedding_bag.h"
#include "ops/filter_check.h"
#include "ops/filter_eval.h"
#include "ops/gather_rows.h"
#include "ops/ivf_probe.h"
#include "ops/ivf_scan.h"
#include "ops/ivf_search.h"
#include "ops/kmeans_seed.h"
#include "ops/l2_normalize.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/merge_top_k.h"
#include "ops/mixture_of_logits.h"
#include "ops/over_arch.h"
#include "ops/quantize_int8.h"
#include "ops/rescore.h"
#include "ops/rotate.h"
#include "ops/slice_build.h"
#include "ops/top_k.h"
#include "ops/update_centroids.h"
#include "ops/value_model.h"

namespace silverlode {

constexpr uint32_t kBackendTableVersion = 1;

struct BackendTable {
  uint32_t version = kBackendTableVersion;
  const char* name = "";

  OpEntry<AssignClusters::Args> assign_clusters;
  OpEntry<BalanceClusters::Args> balance_clusters;
  OpEntry<BloomBuild::Args> bloom_build;
  OpEntry<BloomLayout::Args> bloom_layout;
  OpEntry<BloomProbe::Args> bloom_probe;
  OpEntry<Concat::Args> concat;
  OpEntry<Elementwise::Args> elementwise;
  OpEntry<EmbeddingBag::Args> embedding_bag;
  OpEntry<FilterCheck::Args> filter_check;
  OpEntry<FilterEval::Args> filter_eval;
  OpEntry<GatherRows::Args> gather_rows;
  OpEntry<IvfProbe::Args> ivf_probe;
  OpEntry<IvfScan::Args> ivf_scan;
  OpEntry<IvfSearch::Args> ivf_search;
  OpEntry<KmeansSeed::Args> kmeans_seed;
  OpEntry<L2Normalize::Args> l2_normalize;
  OpEntry<LayerNorm::Args> layer_norm;
  OpEntry<Linear::Args> linear;
  OpEntry<MergeTopK::Args> merge_top_k;
  OpEntry<MixtureOfLogits::Args> mixture_of_logits;
  OpEntry<OverArch::Args> over_arch;
  OpEntry<QuantizeInt8::Args> quantize_int8;
  OpEntry<Rescore::Args> rescore;
  OpEntry<Rotate::Args> rotate;
  OpEntry<SliceBuild::Args> slice_build;
  OpEntry<TopK::Args> top_k;
  OpEntry<UpdateCentroids::Args> update_centroids;
  OpEntry<ValueModel::Args> value_model;
};

}  // namespace silverlode
