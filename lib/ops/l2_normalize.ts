import type { AnyTensor } from '../program/trace.js';
import { dispatch, type OpResult } from './dispatch.js';

/** Rows (last dimension) divided by their Euclidean norm, accumulated in float64; a zero row stays zero. float32 [..., D]. */
export function l2Normalize<I extends AnyTensor>(x: I): OpResult<I, I, I> {
  return dispatch<I, I>('l2_normalize', [x], {}, ([y]) => y as I);
}
