import type { AnyTensor } from '../program/trace.js';
import { dispatch, type OpResult } from './dispatch.js';

/**
 * Layer normalisation over the last dimension; mean and biased variance are accumulated in float64.
 *
 * @param x float32 [..., D]
 * @param options `weight`, `bias` float32 [D]; `epsilon` (default 1e-5)
 */
export function layerNorm<I extends AnyTensor>(
  x: I,
  options: { weight?: AnyTensor; bias?: AnyTensor; epsilon?: number } = {},
): OpResult<I, I, I> {
  const attributes = { epsilon: options.epsilon ?? 1e-5 };
  return dispatch<I, I>('layer_norm', [x, options.weight, options.bias], attributes, ([y]) => y as I);
}
