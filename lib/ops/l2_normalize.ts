import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Rows (last dimension) divided by their Euclidean norm, accumulated in float64; a zero row stays zero. float32 [..., D]. */
export function l2Normalize<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return dispatch<I, As<I, 'float32'>>('l2_normalize', [x], {}, ([y]) => y);
}
