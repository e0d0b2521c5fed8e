import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  clusters: number;
  /** The rows are copies of so many; default: all differ. */
  distinct?: number;
}

export interface Input {
  rows: Tensor<'float32'>;
  clusters: number;
  /** How many rows differ, at most. */
  distinct: number;
}

function make({ rows, dim, clusters, distinct = rows }: Sizes, random: Random): Input {
  const own = normals(random, distinct * dim);
  const data = Float32Array.from({ length: rows * dim }, (_, i) => own[i % own.length] as number);
  return { rows: tensorOf(data, rows, dim), clusters, distinct };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((size) => [
      { rows: size, dim: 5, clusters: size },
      { rows: 300, dim: size, clusters: 20 },
      { rows: 1100, dim: 4, clusters: size },
    ]),
    { rows: 40, dim: 3072, clusters: 10 },
    ...[1, 2, 9, 10, 11].map((distinct) => ({ rows: 100, dim: 7, clusters: 10, distinct })),
    { name: 'all equal', rows: 1500, dim: 3, clusters: 1500, distinct: 1 },
    { name: 'no dimensions', rows: 5, dim: 0, clusters: 3, distinct: 1 },
    { bench: true, rows: 50_000, dim: 64, clusters: 200 },
    { bench: true, rows: 10_000, dim: 768, clusters: 100 },
  ],
  make,
  ({ rows, dim, clusters }) => ({ bytes: 4 * rows * dim, operations: 2 * rows * clusters * dim }),
);

export const run = async ({ rows, clusters }: Input, seed = 7) => ({
  chosen: await ops.kmeansSeed(rows, { clusters, seed }),
});
