import { DTYPES, type DType, ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases } from './op_case.js';

interface Sizes {
  dtype: DType;
  from: readonly number[];
  to: readonly number[];
}

export interface Input {
  x: Tensor;
  shape: readonly number[];
}

function make({ dtype, from, to }: Sizes, random: Random): Input {
  const bytes = Uint8Array.from({ length: bytesOf(from, dtype) }, () => random.integer(256));
  return { x: tensor(new DTYPES[dtype].array(bytes.buffer), { dtype, shape: from }), shape: to };
}

const bytesOf = (shape: readonly number[], dtype: DType) =>
  shape.reduce((product, dim) => product * dim, DTYPES[dtype].bytes);

export const cases = defineCases<Sizes, Input>(
  [
    ...(Object.keys(DTYPES) as DType[]).map((dtype) => ({ dtype, from: [4, 6], to: [2, 3, 4] })),
    { dtype: 'float32', from: [1], to: [] },
    { dtype: 'float32', from: [], to: [1, 1, 1, 1, 1, 1] },
    { dtype: 'float32', from: [0, 5], to: [7, 0] },
    { dtype: 'float32', from: [24], to: [24] },
    { bench: true, dtype: 'float32', from: [1000, 1000], to: [1_000_000] },
  ],
  make,
  () => ({ bytes: 0, operations: 0 }),
);

export const run = async ({ x, shape }: Input) => ({ y: await ops.reshape(x, shape) });
