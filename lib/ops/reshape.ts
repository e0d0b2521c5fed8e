import { type AnyTensor, SymbolicTensor } from '../program/trace.js';
import type { Dim } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { OpResult } from './dispatch.js';

/**
 * The same elements under another shape; nothing is copied.
 *
 * @param shape while tracing, dimensions may be symbols such as `'batch'`
 * @throws SilverlodeError `SHAPE_MISMATCH` when the number of elements differs
 */
export function reshape<I extends AnyTensor>(x: I, shape: readonly Dim[]): OpResult<I, I> {
  const input: AnyTensor = x;
  if (input instanceof SymbolicTensor) {
    return input.trace.step('reshape', [input], { shape })[0] as unknown as OpResult<I, I>;
  }
  const reshaped = async (): Promise<Tensor> => (input as Tensor).reshape(shape as readonly number[]);
  return reshaped() as OpResult<I, I>;
}
