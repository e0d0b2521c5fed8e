import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type Length, lengthAttribute, type OpResult } from './dispatch.js';

/** Result of `topK`; every tensor has the shape of the scores with the last dimension replaced by k. */
export interface TopK<I extends AnyTensor> {
  /** float32, descending; -Infinity where fewer than k entries exist. */
  scores: As<I, 'float32'>;
  /** int32: the payload of each entry, or its column without a payload; -1 where missing. */
  ids: As<I, 'int32'>;
  /** int32: the column of each entry; -1 where missing. */
  positions: As<I, 'int32'>;
}

/**
 * The k best entries of every row, sorted: score descending, then id ascending; -0 equals +0, NaN ranks last.
 * Exact for every k; k may exceed the row length.
 *
 * @param scores float32 [..., n]
 * @param options `k`; `payload` int32 [..., n]: the id of each entry, -1 for a missing one, which is never returned
 * @example
 * ```ts
 * const { scores, ids } = await ops.topK(tensor([0.1, 0.9, 0.5]), { k: 2 }); // ids 1, 2
 * ```
 */
export function topK<I extends AnyTensor>(
  scores: I,
  options: { k: Length; payload?: AnyTensor },
): OpResult<I, TopK<I>> {
  return dispatch<I, TopK<I>>('top_k', [scores, options.payload], { k: lengthAttribute(options.k) }, (outputs) => {
    const [values, ids, positions] = outputs;
    return { scores: values, ids, positions };
  });
}
