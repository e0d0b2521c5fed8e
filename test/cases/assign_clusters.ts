import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  clusters: number;
  nearest?: number;
  values?: 'equal' | 'integers' | 'huge' | 'zero';
}

export interface Input {
  rows: Tensor<'float32'>;
  centroids: Tensor<'float32'>;
  nearest?: number;
}

function make({ rows, dim, clusters, nearest, values }: Sizes, random: Random): Input {
  const draw = (count: number) =>
    normals(random, count).map((value) => {
      if (values === 'equal') return 0.7;
      if (values === 'zero') return 0;
      if (values === 'integers') return random.integer(3) - 1; // many ties
      return values === 'huge' ? value * 1e19 : value;
    });
  return {
    rows: tensorOf(draw(rows * dim), rows, dim),
    centroids: tensorOf(draw(clusters * dim), clusters, dim),
    nearest,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((size) => [
      { rows: size, dim: 5, clusters: 3, nearest: 2 },
      { rows: 33, dim: 4, clusters: size, nearest: 4 },
      { rows: 7, dim: size, clusters: 37 },
    ]),
    { rows: 5, dim: 3072, clusters: 17 },
    ...[1, 2, 3, 15, 16].map((nearest) => ({ rows: 70, dim: 8, clusters: 150, nearest })),
    { name: 'fewer clusters than choices', rows: 10, dim: 8, clusters: 3, nearest: 16 },
    ...(['equal', 'integers', 'huge', 'zero'] as const).map((values) => ({
      rows: 70,
      dim: 6,
      clusters: 200,
      nearest: 5,
      values,
    })),
    { name: 'no rows', rows: 0, dim: 4, clusters: 3 },
    { name: 'no clusters', rows: 3, dim: 4, clusters: 0, nearest: 2 },
    { name: 'no dimensions', rows: 3, dim: 0, clusters: 4, nearest: 2 },
    { bench: true, rows: 20_000, dim: 64, clusters: 1000 },
    { bench: true, rows: 20_000, dim: 64, clusters: 1000, nearest: 8 },
    { bench: true, rows: 5000, dim: 768, clusters: 1000 },
  ],
  make,
  ({ rows, dim, clusters, nearest = 1 }) => ({
    bytes: 4 * (rows + clusters) * dim + 8 * rows * nearest,
    operations: 2 * rows * clusters * dim,
  }),
);

export const run = ({ rows, centroids, nearest }: Input) => ops.assignClusters(rows, centroids, { nearest });
