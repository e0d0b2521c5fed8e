import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Sum or mean of table rows per bag; an empty bag gives zeros.
 *
 * @param table float32, float16 or bfloat16 [V, D]
 * @param ids int32 [n]
 * @param offsets int32 [bags], ascending from 0: where each bag begins; the last one ends at n
 * @param options `mode`: `'sum'` (default) or `'mean'`; `weights` float32 [n]: mean then divides by their sum
 * @returns float32 [bags, D]
 * @throws SilverlodeError `INVALID_ARGUMENT` for an id outside the table or offsets that do not ascend
 */
export function embeddingBag<I extends AnyTensor>(
  table: AnyTensor,
  ids: I,
  offsets: AnyTensor,
  options: { mode?: 'sum' | 'mean'; weights?: AnyTensor } = {},
): OpResult<I, As<I, 'float32'>> {
  const attributes = { mode: options.mode ?? 'sum' };
  return dispatch<I, As<I, 'float32'>>('embedding_bag', [table, ids, offsets, options.weights], attributes, ([y]) => y);
}
