import { type Tensor, tensor } from '../tensor/tensor.js';
import { breathe } from './progress.js';

/** Rows looked at between two turns of the event loop. */
const PACE_ROWS = 4096;

/** Euclidean length of every row of a float32 [N, D] tensor. */
export async function rowLengths(rows: Tensor): Promise<Float64Array> {
  const [count, dims] = rows.shape as [number, number];
  const values = rows.view() as Float32Array;
  const lengths = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    if (row % PACE_ROWS === PACE_ROWS - 1) await breathe();
    lengths[row] = length(values, row, dims);
  }
  return lengths;
}

/**
 * Centroids with the mean length of their members, direction kept. A mean is shorter than its members, the more so the wider
 * they spread, and an inner product would rank wide clusters too low. For unit rows this is spherical k-means.
 *
 * @param clusters Cluster of each row
 * @param lengths Of the same rows
 */
export function withMeanLength(centroids: Tensor, clusters: Int32Array, lengths: Float64Array): Tensor {
  const [count, dims] = centroids.shape as [number, number];
  const sums = new Float64Array(count);
  const sizes = new Int32Array(count);
  clusters.forEach((cluster, row) => {
    sums[cluster] = (sums[cluster] as number) + (lengths[row] as number);
    sizes[cluster] = (sizes[cluster] as number) + 1;
  });
  const scaled = Float32Array.from(centroids.view() as Float32Array);
  for (let c = 0; c < count; c++) {
    const own = length(scaled, c, dims);
    const factor = own === 0 || sizes[c] === 0 ? 1 : (sums[c] as number) / (sizes[c] as number) / own;
    for (let i = c * dims; i < (c + 1) * dims; i++) scaled[i] = (scaled[i] as number) * factor;
  }
  return tensor(scaled, { shape: centroids.shape }) as Tensor;
}

function length(values: Float32Array, row: number, dims: number): number {
  let squares = 0;
  for (let i = row * dims; i < (row + 1) * dims; i++) squares += (values[i] as number) ** 2;
  return Math.sqrt(squares);
}
