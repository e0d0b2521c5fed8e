// The suite 'ops': one line per op.
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import assignClusters from './assign_clusters.bench.js';
import balanceClusters from './balance_clusters.bench.js';
import bloomBuild from './bloom_build.bench.js';
import bloomLayout from './bloom_layout.bench.js';
import bloomProbe from './bloom_probe.bench.js';
import concat from './concat.bench.js';
import elementwise from './elementwise.bench.js';
import embeddingBag from './embedding_bag.bench.js';
import filterCheck from './filter_check.bench.js';
import filterEval from './filter_eval.bench.js';
import gatherRows from './gather_rows.bench.js';
import ivfProbe from './ivf_probe.bench.js';
import ivfScan from './ivf_scan.bench.js';
import ivfSearch from './ivf_search.bench.js';
import kmeansSeed from './kmeans_seed.bench.js';
import l2Normalize from './l2_normalize.bench.js';
import layerNorm from './layer_norm.bench.js';
import linear from './linear.bench.js';
import mergeTopK from './merge_top_k.bench.js';
import mixtureOfLogits from './mixture_of_logits.bench.js';
import overArch from './over_arch.bench.js';
import quantizeInt8 from './quantize_int8.bench.js';
import rescore from './rescore.bench.js';
import reshape from './reshape.bench.js';
import rotate from './rotate.bench.js';
import sliceBuild from './slice_build.bench.js';
import topK from './top_k.bench.js';
import updateCentroids from './update_centroids.bench.js';
import valueModel from './value_model.bench.js';

const OPS: readonly Suite[] = [
  assignClusters,
  balanceClusters,
  bloomBuild,
  bloomLayout,
  bloomProbe,
  concat,
  elementwise,
  embeddingBag,
  filterCheck,
  filterEval,
  gatherRows,
  ivfProbe,
  ivfScan,
  ivfSearch,
  kmeansSeed,
  l2Normalize,
  layerNorm,
  linear,
  mergeTopK,
  mixtureOfLogits,
  overArch,
  quantizeInt8,
  rescore,
  reshape,
  rotate,
  sliceBuild,
  topK,
  updateCentroids,
  valueModel,
];

const suite: Suite = {
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    for (const op of OPS) yield* op.run(options);
  },
};

export default suite;
