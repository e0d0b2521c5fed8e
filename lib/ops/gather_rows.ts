import type { AnyTensor } from '../program/trace.js';
import type { DType } from '../tensor/dtype.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Rows of a table by index; a negative index gives zeros (or `missing` in an int32 table).
 *
 * @param table any dtype [n, ...rest]; with `batchDims: 1` [batch, n, ...rest]
 * @param index int32 [...index]; with `batchDims: 1` [batch, m]
 * @param options `tail`, `[t, ...rest]`: the rows n to n + t - 1, so that a table may lie in two parts
 * @returns [...index, ...rest] or [batch, m, ...rest]
 * @throws SilverlodeError `INVALID_ARGUMENT` for an index beyond the table
 */
export function gatherRows<I extends AnyTensor>(
  table: AnyTensor,
  index: I,
  options: { batchDims?: 0 | 1; missing?: number; tail?: AnyTensor | undefined } = {},
): OpResult<I, As<I, DType>> {
  const attributes = { batch_dims: options.batchDims ?? 0, missing: options.missing ?? 0 };
  const operands = options.tail === undefined ? [table, index] : [table, index, options.tail];
  return dispatch<I, As<I, DType>>('gather_rows', operands, attributes, ([rows]) => rows);
}
