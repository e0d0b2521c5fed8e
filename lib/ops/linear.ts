import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Activations that ops can apply to their result; `gelu` is the exact form (erf). */
export type Activation = 'none' | 'relu' | 'gelu' | 'silu' | 'sigmoid' | 'tanh';

/**
 * `activation(x Wᵀ + b)`. On the CPU every output is one fma chain over ascending k, so results are equal bit for bit at
 * any SIMD level, thread count and batch size.
 *
 * @param x float32 [..., K]
 * @param weight float32, float16 or bfloat16 [N, K] (PyTorch layout)
 * @param options `bias` float32 [N]; `activation` (default none)
 * @returns float32 [..., N]
 */
export function linear<I extends AnyTensor>(
  x: I,
  weight: AnyTensor,
  options: { bias?: AnyTensor; activation?: Activation } = {},
): OpResult<I, As<I, 'float32'>> {
  const attributes = { activation: options.activation ?? 'none' };
  return dispatch<I, As<I, 'float32'>>('linear', [x, weight, options.bias], attributes, ([y]) => y);
}
