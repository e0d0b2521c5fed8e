// Which cluster every item goes to: k-means, but for items that direction says nothing about.
import { gatherRows } from '../ops/gather_rows.js';
import type { Metric } from '../ops/ivf_probe.js';
import { updateCentroids } from '../ops/update_centroids.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { rowLengths } from './centroid_steps.js';
import { type Clustering, kmeans } from './kmeans.js';
import { inPieces, type Progress } from './progress.js';

/** Priors this many spreads from the middle are set apart, as long as they are few. */
const FAR_SPREADS = 4;
const MOST_FAR = 0.05;
/** Largest cluster of items set apart, as a multiple of the mean size, and the share of all clusters that they may take. */
const CAP_FACTOR = 2;
const MOST_CLUSTERS = 0.25;

/** What is clustered. */
export interface ClusterInput {
  /** Items as they were given and as they are quantised, float32 [items, dims] and [items, width]. */
  given: Tensor<'float32'>;
  vectors: Tensor<'float32'>;
  clusters: number;
  metric: Metric;
  /** Per item, added to its score. */
  bias?: ArrayLike<number>;
  seed: number;
  progress: Progress;
}

/**
 * Zero vectors, which score the same for every query, and items whose prior lies far from that of the others get clusters of
 * their own: among others the former would be looked for everywhere, and the latter would make each of their clusters promise what
 * one item of it holds. All other items are clustered by k-means.
 */
export async function clusterItems(input: ClusterInput): Promise<Clustering> {
  const { vectors, clusters, metric, seed, progress } = input;
  const [items, dims] = vectors.shape as [number, number];
  if (clusters === 1) return { centroids: Tensor.allocate('float32', [1, dims]), clusters: new Int32Array(items) };
  const spherical = metric !== 'l2';
  const apart = await setApart(input);
  if (apart.length === 0) return kmeans(vectors, clusters, seed, spherical, progress);

  const clusterOf = new Int32Array(items);
  const common = clusters - apart.length;
  apart.forEach((group, i) => {
    for (const item of group) clusterOf[item] = common + i;
  });
  const others = Int32Array.from(clusterOf.keys()).filter((item) => (clusterOf[item] as number) < common);
  const rows = (await gatherRows(vectors as Tensor, tensor(others) as Tensor)) as Tensor<'float32'>;
  const clustered = await kmeans(rows, common, seed, spherical, progress);
  await inPieces(others.length, (begin, end) => {
    for (let i = begin; i < end; i++) clusterOf[others[i] as number] = clustered.clusters[i] as number;
  });
  const { centroids } = await updateCentroids(vectors as Tensor, tensor(clusterOf) as Tensor, { clusters });
  return { centroids: centroids as Tensor<'float32'>, clusters: clusterOf };
}

/** Groups of items that get a cluster each. */
async function setApart({ given, vectors, clusters, metric, bias }: ClusterInput): Promise<number[][]> {
  const [items, dims] = vectors.shape as [number, number];
  const givenLengths = await rowLengths(given as Tensor);
  const lengths = given === vectors ? givenLengths : await rowLengths(vectors as Tensor);
  const zero: number[] = [];
  let sum = 0;
  await inPieces(items, (begin, end) => {
    for (let item = begin; item < end; item++) {
      sum += lengths[item] as number;
      if (givenLengths[item] === 0) zero.push(item);
    }
  });
  // Of the inner products of two vectors as long as the mean one, in directions that have nothing in common.
  const spread = (sum / items) ** 2 / Math.sqrt(dims);
  const far = bias === undefined ? [] : farPriors(bias, metric === 'l2' ? 2 * spread : spread);
  const taken = new Set(zero);
  const groups = [zero, far.filter((item) => !taken.has(item))];
  const most = Math.floor(clusters * MOST_CLUSTERS);
  const cap = Math.ceil((CAP_FACTOR * items) / clusters);
  const size = Math.max(cap, Math.ceil((zero.length + far.length) / Math.max(1, most - groups.length)));
  const cut = groups.flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / size) }, (_, i) => group.slice(i * size, (i + 1) * size)),
  );
  return cut.length <= most && zero.length + far.length < items ? cut : [];
}

/** Items whose prior lies far from the middle, the highest first; none where they are not few. */
function farPriors(bias: ArrayLike<number>, scoreSpread: number): number[] {
  const sorted = Float64Array.from(bias).sort();
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  const middle = quantile(0.5);
  const least = FAR_SPREADS * Math.max((quantile(0.75) - quantile(0.25)) / 1.35, scoreSpread);
  const far: number[] = [];
  for (let item = 0; item < bias.length; item++) {
    if (Math.abs((bias[item] as number) - middle) > least) far.push(item);
  }
  if (far.length > MOST_FAR * bias.length) return [];
  return far.sort((a, b) => (bias[b] as number) - (bias[a] as number) || a - b);
}
