// The one list of ops. Programs, the backend table and both backends follow from it (op_list.cpp, backend_table.h).
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
#include "ops/reshape.h"
#include "ops/rotate.h"
#include "ops/slice_build.h"
#include "ops/top_k.h"
#include "ops/update_centroids.h"
#include "ops/value_model.h"

namespace silverlode {

template <class... Ops>
struct OpList {};

// clang-format off: one op a line.
// What every backend implements, in alphabetical order.
using DeviceOps = OpList<
    AssignClusters,
    BalanceClusters,
    BloomBuild,
    BloomLayout,
    BloomProbe,
    Concat,
    Elementwise,
    EmbeddingBag,
    FilterCheck,
    FilterEval,
    GatherRows,
    IvfProbe,
    IvfScan,
    IvfSearch,
    KmeansSeed,
    L2Normalize,
    LayerNorm,
    Linear,
    MergeTopK,
    MixtureOfLogits,
    OverArch,
    QuantizeInt8,
    Rescore,
    Rotate,
    SliceBuild,
    TopK,
    UpdateCentroids,
    ValueModel>;
// clang-format on

// What only renames the memory of its first input.
using ViewOps = OpList<Reshape>;

}  // namespace silverlode
