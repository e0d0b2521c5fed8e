import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  /** With a mean, and what is subtracted. */
  subtract?: 'nothing' | 'mean' | 'aligned';
  scale?: number;
  values?: 'outlier' | 'zero';
}

export interface Input {
  values: Tensor<'float32'>;
  signs: Tensor<'int8'>;
  mean?: Tensor<'float32'> | undefined;
  subtract: NonNullable<Sizes['subtract']>;
}

const padded = (dim: number) => Math.ceil(dim / 32) * 32;

function make({ rows, dim, subtract, scale = 1, values }: Sizes, random: Random): Input {
  const data = normals(random, rows * dim);
  for (let i = 0; i < data.length; i++) {
    if (values === 'zero') data[i] = i % 2 ? 0 : -0;
    else if (values === 'outlier' && i % dim === 3) data[i] = 100;
    else data[i] = (data[i] as number) * scale;
  }
  return {
    values: tensorOf(data, rows, dim),
    signs: tensorOf(
      new Int8Array(padded(dim)).map(() => (random.chance(0.5) ? 1 : -1)),
      padded(dim),
    ),
    mean:
      subtract &&
      tensorOf(
        normals(random, dim).map((x) => x * scale),
        dim,
      ),
    subtract: subtract ?? 'nothing',
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 64, 65, 96, 100, 128, 160, 200, 256, 384, 768, 1000].map((dim) => ({ rows: 3, dim })),
    ...(['nothing', 'mean', 'aligned'] as const).flatMap((subtract) =>
      [1, 33, 64, 100, 224].map((dim) => ({ rows: 5, dim, subtract })),
    ),
    { rows: 4, dim: 100, values: 'outlier', subtract: 'mean' },
    { rows: 4, dim: 37, values: 'zero', subtract: 'aligned' },
    ...[1e-45, 1e-38, 1e-20, 1e15, 1e36].map((scale) => ({ rows: 5, dim: 70, scale, subtract: 'aligned' as const })),
    { name: 'no rows', rows: 0, dim: 5 },
    { name: 'no columns', rows: 3, dim: 0 },
    { name: 'enough for several tasks', rows: 2001, dim: 48, subtract: 'aligned' },
    { bench: true, rows: 1, dim: 128, subtract: 'aligned' },
    { bench: true, rows: 10_000, dim: 128, subtract: 'nothing' },
    { bench: true, rows: 10_000, dim: 768, subtract: 'mean' },
  ],
  make,
  ({ rows, dim }) => ({
    bytes: 4 * rows * (dim + padded(dim)),
    operations: rows * padded(dim) * Math.log2(Math.max(2, padded(dim))),
  }),
);

export const run = ({ values, signs, mean, subtract }: Input) => ops.rotate(values, signs, { mean, subtract });
