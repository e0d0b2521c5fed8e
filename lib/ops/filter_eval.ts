import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import { type FilterIndexTensors, type FilterPlanTensors, filterIndexOperands } from './filter_index.js';

/** Bounds of a mask, int64 [plans, W]: rows in `lo` certainly match, rows outside `hi` certainly do not. */
export interface MaskBounds<I extends AnyTensor> {
  lo: As<I, 'int64'>;
  hi: As<I, 'int64'>;
}

/**
 * Plans over the whole catalogue as (lo, hi) pairs, both ANDed with `live` int64 [W]: a Bloom hit proves nothing, so a Bloom
 * term gives (0, hits) and NOT swaps the bounds.
 *
 * @param options `hashes`: Bloom positions per term, as built
 */
export function filterEval<I extends AnyTensor>(
  plans: FilterPlanTensors,
  live: I,
  index: FilterIndexTensors,
  options: { hashes: number },
): OpResult<I, MaskBounds<I>> {
  const operands = [plans.offsets, plans.steps, live, ...filterIndexOperands(index)];
  return dispatch<I, MaskBounds<I>>('filter_eval', operands, { hashes: options.hashes }, (outputs) => {
    const [lo, hi] = outputs;
    return { lo, hi };
  });
}
