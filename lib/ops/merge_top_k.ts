import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type Length, lengthAttribute, type OpResult } from './dispatch.js';

/** Result of `mergeTopK`, all [batch, k]. */
export interface MergedTopK<I extends AnyTensor> {
  /** float32, descending; -Infinity where missing. */
  scores: As<I, 'float32'>;
  /** int32; -1 where missing. */
  ids: As<I, 'int32'>;
  /** int32: the list each entry came from; -1 where missing. */
  sources: As<I, 'int32'>;
}

/**
 * Several candidate lists per request become one sorted list in which each id appears once, with its best score (the
 * lower list on a tie).
 *
 * @param scores float32 [batch, lists, n]; lists need not be sorted
 * @param ids int32 [batch, lists, n]; -1 marks a missing entry
 * @param options `k`; `counts` int32 [batch]: at most this many entries are kept per request
 */
export function mergeTopK<I extends AnyTensor>(
  scores: I,
  ids: AnyTensor,
  options: { k: Length; counts?: AnyTensor },
): OpResult<I, MergedTopK<I>> {
  const attributes = { k: lengthAttribute(options.k) };
  return dispatch<I, MergedTopK<I>>('merge_top_k', [scores, ids, options.counts], attributes, (outputs) => {
    const [merged, mergedIds, sources] = outputs;
    return { scores: merged, ids: mergedIds, sources };
  });
}
