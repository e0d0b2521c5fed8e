import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { specials } from './floats.js';
import { defineCases, normals } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  scale?: number;
  values?: 'zero' | 'special';
}

export interface Input {
  x: Tensor;
}

function make({ rows, dim, scale = 1, values }: Sizes, random: Random): Input {
  const x = values === 'special' ? specials(random, rows * dim) : normals(random, rows * dim);
  const scaled = x.map((value, i) => (values === 'zero' ? (i % 2 ? 0 : -0) : value * scale));
  return { x: tensor(scaled, { shape: [rows, dim] }) };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1000].map((dim) => ({ rows: 3, dim })),
    ...[1e-45, 1e-38, 1e-20, 1e20, 1e38].map((scale) => ({ rows: 5, dim: 37, scale })),
    { rows: 3, dim: 40, values: 'zero' },
    { rows: 20, dim: 4, values: 'special' },
    { name: 'no rows', rows: 0, dim: 5 },
    { name: 'no columns', rows: 3, dim: 0 },
    { name: 'enough for several tasks', rows: 1000, dim: 64 },
    { bench: true, rows: 10_000, dim: 128 },
  ],
  make,
  ({ rows, dim }) => ({ bytes: 8 * rows * dim, operations: 3 * rows * dim }),
);

export const run = async ({ x }: Input) => ({ y: await ops.l2Normalize(x) });
