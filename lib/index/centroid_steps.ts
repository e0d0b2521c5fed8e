// Steps of k-means on centroids, beside the native ones.
import { Tensor } from '../tensor/tensor.js';
import { inPieces, PIECE_NUMBERS } from './progress.js';

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

/** Centroids of one length, direction kept; 0 for no change. */
export async function withLength(centroids: Tensor, wanted: number): Promise<Tensor> {
  const [count, dims] = centroids.shape as [number, number];
  const from = centroids.view() as Float32Array;
  const scaled = Tensor.allocate('float32', centroids.shape);
  const to = scaled.view();
  const scale = (begin: number, end: number) => {
    for (let c = begin; c < end; c++) {
      const own = length(from, c, dims);
      const factor = own === 0 || wanted === 0 ? 1 : wanted / own;
      for (let i = c * dims; i < (c + 1) * dims; i++) to[i] = (from[i] as number) * factor;
    }
  };
  await inPieces(count, scale, Math.ceil(PIECE_NUMBERS / dims));
  return scaled as Tensor;
}

/**
 * Centroids moved past the means of their members by a share of the way they came (over-relaxed Lloyd iterations), which takes
 * about half as many iterations. Clusters without members keep the mean that they were re-seeded with.
 */
export async function overshoot(before: Tensor, means: Tensor, sizes: Int32Array): Promise<Tensor> {
  const [count, dims] = means.shape as [number, number];
  const [from, mean] = [before.view() as Float32Array, means.view() as Float32Array];
  const moved = Tensor.allocate('float32', means.shape);
  const to = moved.view();
  const move = (begin: number, end: number) => {
    for (let c = begin; c < end; c++) {
      const share = sizes[c] === 0 ? 0 : OVERSHOOT;
      for (let i = c * dims; i < (c + 1) * dims; i++)
        to[i] = (mean[i] as number) + share * ((mean[i] as number) - (from[i] as number));
    }
  };
  await inPieces(count, move, Math.ceil(PIECE_NUMBERS / dims));
  return moved as Tensor;
}

function length(values: Float32Array, row: number, dims: number): number {
  let squares = 0;
  for (let i = row * dims; i < (row + 1) * dims; i++) squares += (values[i] as number) ** 2;
  return Math.sqrt(squares);
}
