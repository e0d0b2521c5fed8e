// The suite 'ops': one line per op.
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import assignClusters from './assign_clusters.bench.js';
import balanceClusters from './balance_clusters.bench.js';
import gatherRows from './gather_rows.bench.js';
import ivfProbe from './ivf_probe.bench.js';
import ivfScan from './ivf_scan.bench.js';
import kmeansSeed from './kmeans_seed.bench.js';
import mergeTopK from './merge_top_k.bench.js';
import quantizeInt8 from './quantize_int8.bench.js';
import topK from './top_k.bench.js';
import updateCentroids from './update_centroids.bench.js';

const OPS: readonly Suite[] = [
  assignClusters,
  balanceClusters,
  gatherRows,
  ivfProbe,
  ivfScan,
  kmeansSeed,
  mergeTopK,
  quantizeInt8,
  topK,
  updateCentroids,
];

const suite: Suite = {
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    for (const op of OPS) yield* op.run(options);
  },
};

export default suite;
