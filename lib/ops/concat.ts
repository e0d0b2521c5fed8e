import { SilverlodeError } from '../errors.js';
import type { AnyTensor } from '../program/trace.js';
import { dispatch, type OpResult } from './dispatch.js';

/** Joins 1 to 8 tensors of one dtype along the last dimension; leading dimensions are equal. */
export function concat<I extends AnyTensor>(tensors: readonly I[]): OpResult<I, I> {
  if (tensors.length === 0) throw new SilverlodeError('INVALID_ARGUMENT', 'concat: needs at least one tensor');
  return dispatch<I, I>('concat', tensors, {}, ([y]) => y as I);
}
