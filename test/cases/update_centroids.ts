import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, integers, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  clusters: number;
  /** Rows lie in the first so many clusters; the others are empty. */
  used?: number;
  scale?: number;
}

export interface Input {
  rows: Tensor<'float32'>;
  clusters: Tensor<'int32'>;
  count: number;
}

function make({ rows, dim, clusters, used = clusters, scale = 1 }: Sizes, random: Random): Input {
  return {
    rows: tensorOf(
      normals(random, rows * dim).map((value) => value * scale),
      rows,
      dim,
    ),
    clusters: tensorOf(integers(random, rows, 0, used - 1), rows),
    count: clusters,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((size) => [
      { rows: size, dim: 5, clusters: 3 },
      { rows: 300, dim: size, clusters: 7 },
      { rows: 300, dim: 3, clusters: size },
    ]),
    { rows: 40, dim: 3072, clusters: 3 },
    { name: 'one splits into all', rows: 33, dim: 3, clusters: 65, used: 1 },
    { name: 'a few split', rows: 500, dim: 8, clusters: 100, used: 11 },
    { name: 'more clusters than rows', rows: 3, dim: 4, clusters: 20 },
    { rows: 100, dim: 9, clusters: 8, used: 4, scale: 1e38 },
    { rows: 100, dim: 9, clusters: 8, used: 4, scale: 1e-44 },
    { name: 'no dimensions', rows: 3, dim: 0, clusters: 5 },
    { bench: true, rows: 200_000, dim: 64, clusters: 1000 },
    { bench: true, rows: 20_000, dim: 768, clusters: 100 },
  ],
  make,
  ({ rows, dim, clusters }) => ({ bytes: 4 * (rows + clusters) * dim + 4 * rows, operations: rows * dim }),
);

export const run = ({ rows, clusters, count }: Input) => ops.updateCentroids(rows, clusters, { clusters: count });
