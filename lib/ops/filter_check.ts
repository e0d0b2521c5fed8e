import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import type { MaskBounds } from './filter_eval.js';
import { type FilterIndexTensors, type FilterPlanTensors, filterIndexOperands } from './filter_index.js';

/** The exact mask int64 [plans, W]: every row in `hi & ~lo` is looked up in its exact terms. */
export function filterCheck<I extends AnyTensor>(
  bounds: MaskBounds<I>,
  plans: FilterPlanTensors,
  index: FilterIndexTensors,
  options: { hashes: number },
): OpResult<I, As<I, 'int64'>> {
  const operands = [bounds.lo, bounds.hi, plans.offsets, plans.steps, ...filterIndexOperands(index)];
  return dispatch<I, As<I, 'int64'>>('filter_check', operands, { hashes: options.hashes }, ([mask]) => mask);
}
