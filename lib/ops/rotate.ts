import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Result of `rotate`. */
export interface Rotated<I extends AnyTensor> {
  /** float32 [..., Dp], Dp = D rounded up to 32. */
  rotated: As<I, 'float32'>;
  /**
   * float32 [...]: inner products with the mean, summed in float64: of the values as given, divided by their factor, or of the
   * centred values under `'mean'`; 0 without a mean.
   */
  offsets: As<I, 'float32'>;
  /** float32 [...]: what values were divided by under `'aligned'`, else 1. */
  factors: As<I, 'float32'>;
}

/**
 * Rows multiplied by a randomised Hadamard matrix: multiplied by signs, padded with zeros to a multiple of 32, then
 * Walsh-Hadamard steps over blocks of a power of two, scaled so that lengths and inner products stay what they were. A large
 * coordinate is spread over all of them, so that int8 rows with one scale lose less. The order of all float32 operations is
 * fixed (native/ops/rotate.h): every device gives the same bits.
 *
 * @param values float32 [..., D]
 * @param signs int8 [Dp], each 1 or -1
 * @param options `mean` float32 [D]; `subtract`: whether it is subtracted before rotating, under `'aligned'` from values divided
 *   by a factor that makes their part along the mean equal to it (default `'nothing'`)
 */
export function rotate<I extends AnyTensor>(
  values: I,
  signs: AnyTensor,
  { mean, subtract = 'nothing' }: { mean?: AnyTensor | undefined; subtract?: 'nothing' | 'mean' | 'aligned' } = {},
): OpResult<I, Rotated<I>> {
  return dispatch<I, Rotated<I>>('rotate', [values, signs, mean], { subtract }, (outputs) => {
    const [rotated, offsets, factors] = outputs;
    return { rotated, offsets, factors };
  });
}
