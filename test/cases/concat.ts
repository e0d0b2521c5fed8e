import { DTYPES, type DType, ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases } from './op_case.js';

interface Sizes {
  dtype: DType;
  leading: readonly number[];
  /** Last dimension of each tensor. */
  widths: readonly number[];
}

export interface Input {
  tensors: Tensor[];
}

const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function make({ dtype, leading, widths }: Sizes, random: Random): Input {
  const tensors = widths.map((width) => {
    const shape = [...leading, width];
    const bytes = Uint8Array.from({ length: size(shape) * DTYPES[dtype].bytes }, () => random.integer(256));
    return tensor(new DTYPES[dtype].array(bytes.buffer), { dtype, shape });
  });
  return { tensors };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...(Object.keys(DTYPES) as DType[]).map((dtype) => ({ dtype, leading: [7], widths: [3, 1, 16] })),
    { dtype: 'float32', leading: [], widths: [3, 2] },
    { dtype: 'float32', leading: [2, 3, 4], widths: [3, 2] },
    { dtype: 'float32', leading: [5], widths: [4] },
    { dtype: 'float32', leading: [5], widths: [1, 2, 3, 4, 5, 6, 7, 8] },
    { dtype: 'float32', leading: [5], widths: [0, 3, 0] },
    { dtype: 'float32', leading: [5], widths: [0] },
    { dtype: 'float32', leading: [0], widths: [3, 4] },
    { dtype: 'int8', leading: [1000], widths: [33, 64, 31] },
    { bench: true, dtype: 'float32', leading: [100_000], widths: [64, 64, 11] },
  ],
  make,
  ({ dtype, leading, widths }) => {
    const elements = size(leading) * widths.reduce((sum, width) => sum + width, 0);
    return { bytes: 2 * elements * DTYPES[dtype].bytes, operations: elements };
  },
);

export const run = async ({ tensors }: Input) => ({ y: await ops.concat(tensors) });
