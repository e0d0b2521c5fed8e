import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Layer normalisation over the last dimension; mean and biased variance are accumulated in float64.
 *
 * @param x float32 [..., D]
 * @param options `weight`, `bias` float32 [D]; `epsilon` (default 1e-5)
 */
export function layerNorm<I extends AnyTensor>(
  x: I,
  options: { weight?: AnyTensor; bias?: AnyTensor; epsilon?: number } = {},
): OpResult<I, As<I, 'float32'>> {
  const attributes = { epsilon: options.epsilon ?? 1e-5 };
  return dispatch<I, As<I, 'float32'>>('layer_norm', [x, options.weight, options.bias], attributes, ([y]) => y);
}
