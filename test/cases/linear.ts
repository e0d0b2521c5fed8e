import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { FLOAT_BYTES, FLOAT_DTYPES, type FloatDType, floats, specials } from './floats.js';
import { defineCases } from './op_case.js';

type Activation = NonNullable<NonNullable<Parameters<typeof ops.linear>[2]>['activation']>;

interface Sizes {
  rows: number;
  in: number;
  out: number;
  dtype?: FloatDType;
  bias?: boolean;
  activation?: Activation;
  values?: 'special';
}

export interface Input {
  x: Tensor;
  weight: Tensor;
  bias?: Tensor;
  activation: Activation;
}

export const ACTIVATIONS: readonly Activation[] = ['none', 'relu', 'gelu', 'silu', 'sigmoid', 'tanh'];

function make(sizes: Sizes, random: Random): Input {
  const { rows, in: width, out, dtype = 'float32', bias = true, activation = 'none', values } = sizes;
  const x = values
    ? tensor(specials(random, rows * width), { shape: [rows, width] })
    : floats(random, 'float32', rows, width);
  const weight = floats(random, dtype, out, width);
  return { x, weight, bias: bias ? floats(random, 'float32', out) : undefined, activation };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...FLOAT_DTYPES.flatMap((dtype) => [
      { rows: 5, in: 33, out: 19, dtype },
      { rows: 33, in: 130, out: 65, dtype, bias: false },
    ]),
    ...ACTIVATIONS.map((activation) => ({ rows: 9, in: 20, out: 37, activation })),
    ...[1, 2, 3, 4, 7, 8, 11, 12, 13, 16, 17, 24, 25, 64].map((rows) => ({ rows, in: 5, out: 17 })),
    ...[1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 128].map((out) => ({ rows: 3, in: 6, out })),
    ...[1, 2, 31, 32, 33, 255, 256, 257, 511, 513, 1025].map((width) => ({ rows: 2, in: width, out: 9 })),
    { name: 'no rows', rows: 0, in: 4, out: 4 },
    { name: 'no columns: the bias', rows: 3, in: 0, out: 4 },
    { name: 'no outputs', rows: 3, in: 4, out: 0 },
    { rows: 8, in: 9, out: 17, values: 'special' },
    { rows: 8, in: 9, out: 17, values: 'special', activation: 'relu' },
    { name: 'enough for several tasks', rows: 200, in: 24, out: 100 },
    { bench: true, rows: 1, in: 256, out: 512 },
    { bench: true, rows: 64, in: 256, out: 512 },
    { bench: true, rows: 4096, in: 128, out: 256 },
    { bench: true, rows: 64, in: 512, out: 512, dtype: 'float16' },
  ],
  make,
  ({ rows, in: width, out, dtype = 'float32' }) => ({
    bytes: 4 * rows * (width + out) + FLOAT_BYTES[dtype] * width * out,
    operations: 2 * rows * width * out,
  }),
);

export const run = async ({ x, weight, bias, activation }: Input) => ({
  y: await ops.linear(x, weight, { bias, activation }),
});
