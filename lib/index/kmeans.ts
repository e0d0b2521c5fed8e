// k-means over native ops: seeded, sampled, size-capped, deterministic at any thread count.
import { Random } from '../data/random.js';
import { assignClusters } from '../ops/assign_clusters.js';
import { balanceClusters } from '../ops/balance_clusters.js';
import { gatherRows } from '../ops/gather_rows.js';
import { kmeansSeed } from '../ops/kmeans_seed.js';
import { updateCentroids } from '../ops/update_centroids.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { overshoot, rowLengths, withLength } from './centroid_steps.js';
import { inPieces, type Progress } from './progress.js';
import { sampleRows } from './sample_rows.js';

/** Rows per cluster that the k-means++ start looks at. */
const SEED_ROWS = 16;
/**
 * Iterations and the rows per cluster they look at. Early ones, far from where centroids end up, need few rows for their
 * direction; together they cost as much as four passes over 256 rows per cluster (measurements in bench/README.md).
 */
const PHASES = [
  { rows: 64, iterations: 4 },
  { rows: 128, iterations: 2 },
  { rows: 256, iterations: 2 },
] as const;
const ITERATIONS = PHASES.reduce((sum, { iterations }) => sum + iterations, 0);
/** A phase ends when the mean error improves by less than this share. */
const TOLERANCE = 1e-3;
/** Choices a row has before it goes to the least loaded cluster, and the largest cluster as a multiple of the mean. */
const CHOICES = 4;
const CAP_FACTOR = 2;

/** Centroids and the cluster of every row. */
export interface Clustering {
  /** float32 [C, D]: the means of the members. */
  centroids: Tensor<'float32'>;
  /** Cluster of each row. */
  clusters: Int32Array;
}

/**
 * Clusters rows by Euclidean distance: over-relaxed Lloyd iterations from a k-means++ start on samples of at most 256 rows per
 * cluster. Clusters are capped at twice the mean size by spilling rows to their next nearest centroid; at the end centroids
 * become the means of their members.
 *
 * @param rows float32 [N, D], N >= clusters
 * @param spherical For inner products: rows go to the centroid of the nearest direction (spherical k-means).
 */
export async function kmeans(
  rows: Tensor<'float32'>,
  clusters: number,
  seed: number,
  spherical: boolean,
  progress: Progress,
): Promise<Clustering> {
  const [items] = rows.shape as [number, number];
  const random = new Random(seed);
  const lengths = spherical ? await rowLengths(rows) : undefined;
  const sample = (perCluster: number) => takeSample(rows as Tensor, perCluster * clusters, random);
  const meanLength = lengths ? (await sumOf(lengths)) / items : 0;
  const level = async (centroids: Tensor) => (lengths ? await withLength(centroids, meanLength) : centroids);

  progress.step('seed', 0, 1);
  const seeds = await sample(SEED_ROWS);
  let centroids = await level((await gatherRows(seeds, await kmeansSeed(seeds, { clusters, seed }))) as Tensor);
  let iteration = 0;
  for (const phase of PHASES) {
    const data = await sample(phase.rows);
    let previous = Number.POSITIVE_INFINITY;
    for (const end = iteration + phase.iterations; iteration < end; iteration++) {
      progress.step('k-means', iteration, ITERATIONS);
      const assigned = await assignClusters(data, centroids);
      const members = assigned.clusters.reshape([data.shape[0] as number]);
      const { centroids: means, sizes } = await updateCentroids(data, members, { clusters });
      const moved = await overshoot(centroids, await level(means as Tensor), sizes.view() as Int32Array);
      centroids = await level(moved);
      // |x|² is constant, so the error falls as the sum of scores rises.
      const error = -2 * (await sumOf(assigned.scores.view() as Float32Array));
      const converged = Math.abs(previous - error) < TOLERANCE * Math.abs(error);
      previous = error;
      if (converged) iteration = end;
    }
  }

  progress.step('assign', 0, 1);
  const nearest = await assignClusters(rows as Tensor, centroids, { nearest: Math.min(CHOICES, clusters) });
  const cap = Math.ceil((CAP_FACTOR * items) / clusters);
  const balanced = await balanceClusters(nearest.clusters, nearest.scores, { clusters, cap });
  const members = (balanced.view() as Int32Array).slice();
  const means = (await updateCentroids(rows as Tensor, balanced, { clusters })).centroids as Tensor<'float32'>;
  progress.step('assign', 1, 1);
  return { centroids: means, clusters: members };
}

async function takeSample(rows: Tensor, count: number, random: Random): Promise<Tensor> {
  const items = rows.shape[0] as number;
  if (count >= items) return rows;
  return (await gatherRows(rows, tensor(await sampleRows(items, count, random)) as Tensor)) as Tensor;
}

async function sumOf(values: Float32Array | Float64Array): Promise<number> {
  let sum = 0;
  await inPieces(values.length, (begin, end) => {
    for (let i = begin; i < end; i++) sum += values[i] as number;
  });
  return sum;
}
