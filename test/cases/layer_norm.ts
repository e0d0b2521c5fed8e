import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { floats, specials } from './floats.js';
import { defineCases, normals } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  affine?: 'weight' | 'bias' | 'none';
  epsilon?: number;
  values?: 'constant' | 'far from zero' | 'special';
}

export interface Input {
  x: Tensor;
  weight?: Tensor;
  bias?: Tensor;
  epsilon: number;
}

function make({ rows, dim, affine, epsilon = 1e-5, values }: Sizes, random: Random): Input {
  let x = values === 'special' ? specials(random, rows * dim) : normals(random, rows * dim);
  if (values === 'constant') x = x.map((_, i) => Math.floor(i / dim) - 1.1);
  if (values === 'far from zero') x = x.map((value) => 1e6 + value);
  return {
    x: tensor(x, { shape: [rows, dim] }),
    weight: affine === 'bias' || affine === 'none' ? undefined : floats(random, 'float32', dim),
    bias: affine === 'weight' || affine === 'none' ? undefined : floats(random, 'float32', dim),
    epsilon,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1000].map((dim) => ({ rows: 3, dim })),
    ...(['weight', 'bias', 'none'] as const).map((affine) => ({ rows: 5, dim: 37, affine })),
    ...[0, 1e-12, 1].map((epsilon) => ({ rows: 5, dim: 37, epsilon })),
    { rows: 4, dim: 40, values: 'constant' },
    { rows: 4, dim: 40, values: 'constant', epsilon: 0 },
    { rows: 4, dim: 40, values: 'far from zero' },
    { rows: 20, dim: 5, values: 'special' },
    { name: 'no rows', rows: 0, dim: 5 },
    { name: 'no columns', rows: 3, dim: 0 },
    { name: 'enough for several tasks', rows: 1000, dim: 64 },
    { bench: true, rows: 10_000, dim: 256 },
  ],
  make,
  ({ rows, dim }) => ({ bytes: 8 * rows * dim, operations: 8 * rows * dim }),
);

export const run = async ({ x, weight, bias, epsilon }: Input) => ({
  y: await ops.layerNorm(x, { weight, bias, epsilon }),
});
