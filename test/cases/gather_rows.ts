import { DTYPES, type DType, ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, integers, tensorOf } from './op_case.js';

interface Sizes {
  dtype: DType;
  /** Rows of the table, of each batch entry. */
  n: number;
  /** Elements of a row. */
  row: number;
  /** Indices, of each batch entry. */
  m: number;
  batch?: number;
  missing?: number;
  /** Of the rows, how many lie in the tail. */
  tail?: number;
  /** Probability of a negative index. */
  negative?: number;
}

export interface Input {
  table: Tensor;
  tail?: Tensor;
  index: Tensor<'int32'>;
  batchDims: 0 | 1;
  missing?: number;
}

function make({ dtype, n, row, m, batch, missing, tail = 0, negative = 0.2 }: Sizes, random: Random): Input {
  const times = batch ?? 1;
  const bytes = Uint8Array.from({ length: times * n * row * DTYPES[dtype].bytes }, () => random.integer(256));
  const index = integers(random, times * m, 0, n - 1).map((at) => (n === 0 || random.chance(negative) ? -1 - at : at));
  const rows = new DTYPES[dtype].array(bytes.buffer);
  const split = (n - tail) * row;
  const head = batch === undefined ? [n - tail, row] : [batch, n, row];
  return {
    table: tensor(tail > 0 ? rows.subarray(0, split) : rows, { dtype, shape: head }),
    tail: tail > 0 ? tensor(rows.subarray(split), { dtype, shape: [tail, row] }) : undefined,
    index: batch === undefined ? tensorOf(index, m) : tensorOf(index, batch, m),
    batchDims: batch === undefined ? 0 : 1,
    missing,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...(Object.keys(DTYPES) as DType[]).flatMap((dtype) => [
      { dtype, n: 100, row: 33, m: 257 },
      { dtype, n: 10, row: 1, m: 63, batch: 7 },
    ]),
    ...[0, 1, 2, 31, 32, 33, 3072].map((row) => ({ dtype: 'float32' as const, n: 65, row, m: 100 })),
    { dtype: 'int32', n: 50, row: 3, m: 64, missing: -1 },
    { dtype: 'int32', n: 50, row: 1, m: 64, batch: 3, missing: -7 },
    { dtype: 'int32', n: 50, row: 2, m: 65, missing: 2 ** 31 - 1, negative: 1 },
    { dtype: 'float32', n: 90, row: 5, m: 200, tail: 17 },
    { dtype: 'int8', n: 90, row: 33, m: 200, tail: 90 },
    { dtype: 'int32', n: 90, row: 1, m: 200, tail: 1, missing: -1 },
    { name: 'empty table', dtype: 'float32', n: 0, row: 4, m: 3 },
    { name: 'no index', dtype: 'float32', n: 4, row: 4, m: 0 },
    { name: 'no batch', dtype: 'float32', n: 4, row: 4, m: 3, batch: 0 },
    { name: 'several tasks', dtype: 'int8', n: 1000, row: 3072, m: 300, negative: 0.01 },
    { bench: true, dtype: 'int8', n: 200_000, row: 64, m: 100_000, negative: 0 },
    { bench: true, dtype: 'float32', n: 50_000, row: 64, m: 10_000, negative: 0 },
    { bench: true, dtype: 'float32', n: 1_000_000, row: 1, m: 100_000, negative: 0 },
  ],
  make,
  ({ dtype, row, m, batch = 1 }) => ({ bytes: batch * m * (2 * row * DTYPES[dtype].bytes + 4), operations: batch * m }),
);

export const run = async ({ table, tail, index, batchDims, missing }: Input) => ({
  rows: (await ops.gatherRows(table, index, { batchDims, missing, tail })) as Tensor,
});
