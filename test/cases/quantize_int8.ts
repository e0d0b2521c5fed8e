import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  dim: number;
  padTo?: number;
  /** Multiplies all values: float32 has subnormals below 1e-38. */
  scale?: number;
  values?: 'zero rows' | 'equal' | 'ties' | 'negative zero';
}

interface Input {
  values: Tensor<'float32'>;
  padTo?: number;
}

const padded = ({ dim, padTo = 32 }: Sizes) => Math.ceil(dim / padTo) * padTo;

function make({ rows, dim, padTo, scale = 1, values }: Sizes, random: Random): Input {
  const data = normals(random, rows * dim).map((value) => value * scale);
  for (let i = 0; i < data.length; i++) {
    if (values === 'zero rows' && Math.floor(i / dim) % 2 === 0) data[i] = 0;
    if (values === 'equal') data[i] = -3.5;
    if (values === 'ties') data[i] = i % dim === 0 ? 127 : random.integer(254) - 126.5;
    if (values === 'negative zero') data[i] = random.chance(0.5) ? -0 : random.normal();
  }
  return { values: tensorOf(data, rows, dim), padTo };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257, 3072].map((dim) => ({ rows: 3, dim })),
    ...[1, 2, 16, 64].map((padTo) => ({ rows: 7, dim: 33, padTo })),
    { name: 'no rows', rows: 0, dim: 5 },
    { name: 'no columns', rows: 2, dim: 0 },
    { name: 'enough rows for several tasks', rows: 4099, dim: 33 },
    { rows: 4, dim: 37, values: 'zero rows' },
    { rows: 4, dim: 37, values: 'equal' },
    { name: 'ties to even', rows: 9, dim: 100, values: 'ties' },
    { rows: 4, dim: 37, values: 'negative zero' },
    ...[1e-44, 5e-44, 1e-43, 3e-42, 1e-38, 1e37].map((scale) => ({ rows: 9, dim: 40, scale })),
    { bench: true, rows: 100_000, dim: 64 },
    { bench: true, rows: 10_000, dim: 768 },
  ],
  make,
  (sizes) => ({
    bytes: sizes.rows * (4 * sizes.dim + padded(sizes) + 4),
    operations: sizes.rows * sizes.dim,
  }),
);

export const run = ({ values, padTo }: Input) => ops.quantizeInt8(values, { padTo });

export type { Input };
