// Steps of k-means on centroids, beside the native ones.
import { type Tensor, tensor } from '../tensor/tensor.js';
import { inPieces } from './progress.js';

/** Numbers looked at between two turns of the event loop. */
const PIECE_NUMBERS = 2 ** 18;
/** How far beyond the mean of its members a centroid goes; below 1, so that it converges while its members stay the same. */
const OVERSHOOT = 0.8;

/** Euclidean length of every row of a float32 [N, D] tensor. */
export async function rowLengths(rows: Tensor): Promise<Float64Array> {
  const [count, dims] = rows.shape as [number, number];
  const values = rows.view() as Float32Array;
  const lengths = new Float64Array(count);
  await inPieces(
    count,
    (begin, end) => {
      for (let row = begin; row < end; row++) lengths[row] = length(values, row, dims);
    },
    Math.ceil(PIECE_NUMBERS / dims),
  );
  return lengths;
}

/** Mean length of the members of every cluster, 0 for one without; `lengths` and `clusters` are of the same rows. */
export async function memberLengths(clusters: Int32Array, lengths: Float64Array, count: number): Promise<Float64Array> {
  const sums = new Float64Array(count);
  const sizes = new Int32Array(count);
  await inPieces(clusters.length, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const cluster = clusters[row] as number;
      sums[cluster] = (sums[cluster] as number) + (lengths[row] as number);
      sizes[cluster] = (sizes[cluster] as number) + 1;
    }
  });
  return sums.map((sum, cluster) => sum / Math.max(1, sizes[cluster] as number));
}

/** Centroids of other lengths, direction kept: `lengthOf(c)` is that of centroid c, 0 for no change. */
export function withLengths(centroids: Tensor, lengthOf: (cluster: number) => number): Tensor {
  const [count, dims] = centroids.shape as [number, number];
  const scaled = Float32Array.from(centroids.view() as Float32Array);
  for (let c = 0; c < count; c++) {
    const own = length(scaled, c, dims);
    const wanted = lengthOf(c);
    const factor = own === 0 || wanted === 0 ? 1 : wanted / own;
    for (let i = c * dims; i < (c + 1) * dims; i++) scaled[i] = (scaled[i] as number) * factor;
  }
  return tensor(scaled, { shape: centroids.shape }) as Tensor;
}

/**
 * Centroids moved past the means of their members by a share of the way they came (over-relaxed Lloyd iterations), which takes
 * about half as many iterations. Clusters without members keep the mean that they were re-seeded with.
 */
export function overshoot(before: Tensor, means: Tensor, sizes: Int32Array): Tensor {
  const [, dims] = means.shape as [number, number];
  const from = before.view() as Float32Array;
  const moved = Float32Array.from(means.view() as Float32Array);
  for (let i = 0; i < moved.length; i++) {
    if ((sizes[Math.floor(i / dims)] as number) === 0) continue;
    moved[i] = (moved[i] as number) + OVERSHOOT * ((moved[i] as number) - (from[i] as number));
  }
  return tensor(moved, { shape: means.shape }) as Tensor;
}

function length(values: Float32Array, row: number, dims: number): number {
  let squares = 0;
  for (let i = row * dims; i < (row + 1) * dims; i++) squares += (values[i] as number) ** 2;
  return Math.sqrt(squares);
}
