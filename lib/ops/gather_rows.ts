import type { AnyTensor } from '../program/trace.js';
import type { DType } from '../tensor/dtype.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Rows of a table by index; a negative index gives zeros (or `missing` in an int32 table).
 *
 * @param table any dtype [n, ...rest]; with `batchDims: 1` [batch, n, ...rest]
 * @param index int32 [...index]; with `batchDims: 1` [batch, m]
 * @returns [...index, ...rest] or [batch, m, ...rest]
 * @throws SilverlodeError `INVALID_ARGUMENT` for an index beyond the table
 */
export function gatherRows<I extends AnyTensor>(
  table: AnyTensor,
  index: I,
  options: { batchDims?: 0 | 1; missing?: number } = {},
): OpResult<I, As<I, DType>> {
  const attributes = { batch_dims: options.batchDims ?? 0, missing: options.missing ?? 0 };
  return dispatch<I, As<I, DType>>('gather_rows', [table, index], attributes, ([rows]) => rows);
}
