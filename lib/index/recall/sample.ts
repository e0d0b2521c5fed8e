// Clustered rows and sample queries, as what a search knows of its clusters is learnt from them.
import type { Metric } from '../../ops/ivf_probe.js';
import { linear } from '../../ops/linear.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { inPieces } from '../progress.js';

/** Clustered rows as they are scored. */
export interface ClusteredRows {
  /** float32 [items, dims], as they are quantised. */
  vectors: Float32Array;
  dims: number;
  metric: Metric;
  /** Cluster of every item. */
  clusters: Int32Array;
  /** float32 [C, dims]: the means of their members. */
  centroids: Float32Array;
  /** Added to the scores of items, and the means of that by cluster. */
  bias?: ArrayLike<number> | undefined;
  centroidBias?: Float32Array | undefined;
  /** Whether that are priors, which have nothing to do with queries. */
  priors?: boolean;
}

/** Queries that stand for those to come. */
export interface SampleQueries {
  /** float32 [count, dims], as they are quantised. */
  vectors: Float32Array;
  count: number;
  /** The item that a query is and that does not count for it, -1 for none. */
  items: Int32Array;
}

/** What follows from rows and queries and is needed again and again. */
export interface Sampled {
  rows: ClusteredRows;
  queries: SampleQueries;
  /** Clusters. */
  count: number;
  /** Items by cluster: those of cluster c are `order[starts[c]]` to `order[starts[c + 1] - 1]`, ascending. */
  order: Int32Array;
  starts: Int32Array;
  /** float32 [queries, C]: inner products with centroids. */
  products: Float32Array;
  /** Squared lengths of queries and centroids. */
  querySquares: Float64Array;
  centroidSquares: Float64Array;
}

export async function sampled(rows: ClusteredRows, queries: SampleQueries): Promise<Sampled> {
  const { dims, centroids, clusters } = rows;
  const count = centroids.length / dims;
  const starts = new Int32Array(count + 1);
  await inPieces(clusters.length, (begin, end) => {
    for (let item = begin; item < end; item++) {
      const after = (clusters[item] as number) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
  });
  for (let c = 0; c < count; c++) starts[c + 1] = (starts[c + 1] as number) + (starts[c] as number);
  const next = starts.slice();
  const order = new Int32Array(clusters.length);
  await inPieces(clusters.length, (begin, end) => {
    for (let item = begin; item < end; item++) {
      const cluster = clusters[item] as number;
      order[next[cluster] as number] = item;
      next[cluster] = (next[cluster] as number) + 1;
    }
  });
  const matrix = (values: Float32Array, height: number) => tensor(values, { shape: [height, dims] }) as Tensor;
  const products = await linear(matrix(queries.vectors, queries.count), matrix(centroids, count));
  return {
    rows,
    queries,
    count,
    order,
    starts,
    products: products.view() as Float32Array,
    querySquares: squares(queries.vectors, dims),
    centroidSquares: squares(centroids, dims),
  };
}

/** Score of query `q` with a point at a centroid. */
export function centroidScore(
  { rows, products, count, querySquares, centroidSquares }: Sampled,
  q: number,
  c: number,
): number {
  const product = (products[q * count + c] as number) + (rows.centroidBias?.[c] ?? 0);
  if (rows.metric !== 'l2') return product;
  return 2 * product - (querySquares[q] as number) - (centroidSquares[c] as number);
}

/** Inner product of query `q` and an item. */
export function product({ rows, queries }: Sampled, q: number, item: number): number {
  const { dims, vectors } = rows;
  const [a, b] = [q * dims, item * dims];
  let sum = 0;
  for (let d = 0; d < dims; d++) sum += (queries.vectors[a + d] as number) * (vectors[b + d] as number);
  return sum;
}

/** Score of query `q` and an item, with its prior. */
export function itemScore(sample: Sampled, q: number, item: number): number {
  const { rows, querySquares } = sample;
  const biased = product(sample, q, item) + (rows.bias?.[item] ?? 0);
  if (rows.metric !== 'l2') return biased;
  let square = 0;
  for (let i = item * rows.dims; i < (item + 1) * rows.dims; i++) square += (rows.vectors[i] as number) ** 2;
  return 2 * biased - (querySquares[q] as number) - square;
}

/** Minus the distance behind a squared one, around which members lie evenly. */
export function distanceOf(score: number): number {
  return -Math.sqrt(Math.max(0, -score));
}

function squares(values: Float32Array, dims: number): Float64Array {
  const found = new Float64Array(values.length / dims);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / dims);
    found[row] = (found[row] as number) + (values[i] as number) ** 2;
  }
  return found;
}
