// k-means over native ops: seeded, sampled, size-capped, deterministic at any thread count.
import { Random } from '../data/random.js';
import { assignClusters } from '../ops/assign_clusters.js';
import { balanceClusters } from '../ops/balance_clusters.js';
import { gatherRows } from '../ops/gather_rows.js';
import { kmeansSeed } from '../ops/kmeans_seed.js';
import { updateCentroids } from '../ops/update_centroids.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { rowLengths, withMeanLength } from './centroid_length.js';
import type { Progress } from './progress.js';

/** Rows per cluster that the k-means++ start looks at, and that iterations use. */
const SEED_ROWS = 32;
const SAMPLE_ROWS = 256;
const COARSE_ROWS = 64;
/** From this many clusters on, all but the last iterations work on the coarse sample. */
const COARSE_FROM = 4096;
const MAX_ITERATIONS = 10;
const FINE_ITERATIONS = 2;
/** Iterations stop when the mean error improves by less than this share. */
const TOLERANCE = 1e-3;
/** Choices a row has before it goes to the least loaded cluster, and the largest cluster as a multiple of the mean. */
const CHOICES = 4;
const CAP_FACTOR = 2;

/** Centroids and the cluster of every row. */
export interface Clustering {
  /** float32 [C, D]. */
  centroids: Tensor<'float32'>;
  /** Cluster of each row. */
  clusters: Int32Array;
}

/**
 * Clusters rows by Euclidean distance (Lloyd's algorithm from a k-means++ start on a sample of at most 256 rows per cluster);
 * clusters are capped at twice the mean size by spilling rows to their next nearest centroid.
 *
 * @param rows float32 [N, D], N >= clusters
 * @param keepLength For inner products: centroids get the mean length of their members after every iteration
 */
export async function kmeans(
  rows: Tensor<'float32'>,
  clusters: number,
  seed: number,
  keepLength: boolean,
  progress: Progress,
): Promise<Clustering> {
  const [items] = rows.shape as [number, number];
  const order = new Random(seed).shuffle(Array.from({ length: items }, (_, i) => i));
  const sample = async (perCluster: number) => {
    const count = Math.min(items, perCluster * clusters);
    return count === items
      ? rows
      : ((await gatherRows(rows, tensor(Int32Array.from(order.slice(0, count)).sort()))) as Tensor<'float32'>);
  };

  progress.step('seed', 0, 1);
  const seeds = await sample(SEED_ROWS);
  const chosen = await kmeansSeed(seeds as Tensor, { clusters, seed });
  let centroids = (await gatherRows(seeds, chosen)) as Tensor;

  const fine = await sample(SAMPLE_ROWS);
  const coarse = clusters >= COARSE_FROM ? await sample(COARSE_ROWS) : fine;
  const lengths = new Map<Tensor, Float64Array>();
  if (keepLength) for (const data of [coarse, fine] as Tensor[]) lengths.set(data, await rowLengths(data));
  let previous = Number.POSITIVE_INFINITY;
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    progress.step('k-means', iteration, MAX_ITERATIONS);
    const data: Tensor = iteration < MAX_ITERATIONS - FINE_ITERATIONS ? coarse : fine;
    const assigned = await assignClusters(data, centroids);
    const members = assigned.clusters.reshape([data.shape[0] as number]);
    const means = (await updateCentroids(data, members, { clusters })).centroids as Tensor;
    const length = lengths.get(data);
    centroids = length ? withMeanLength(means, members.view(), length) : means;
    // |x|² is constant, so the error falls as the sum of scores rises.
    const error = -2 * (assigned.scores.view() as Float32Array).reduce((sum, score) => sum + score, 0);
    const converged = Math.abs(previous - error) < TOLERANCE * Math.abs(error);
    if (converged && data === fine) break;
    previous = error;
  }

  progress.step('assign', 0, 1);
  const nearest = await assignClusters(rows as Tensor, centroids, { nearest: Math.min(CHOICES, clusters) });
  const cap = Math.ceil((CAP_FACTOR * items) / clusters);
  const balanced = await balanceClusters(nearest.clusters, nearest.scores, { clusters, cap });
  progress.step('assign', 1, 1);
  return { centroids: centroids as Tensor<'float32'>, clusters: (balanced.view() as Int32Array).slice() };
}
