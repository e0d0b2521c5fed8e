import type { AnyTensor } from '../program/trace.js';
import { dispatch, type OpResult } from './dispatch.js';

/** Result of `quantizeInt8`. */
export interface QuantizedInt8<T> {
  /** int8 [..., Dp] in [-127, 127]; the tail beyond D is zero. */
  quantized: T;
  /** float32 [...]: `max|x| / 127`; 0 for a zero row. */
  scales: T;
}

/**
 * Rows to symmetric int8 with one scale per row: `q = rint(x / scale)`, ties to even.
 *
 * @param values float32 [..., D], finite
 * @param options `padTo` (default 32): Dp is D rounded up to it
 */
export function quantizeInt8<I extends AnyTensor>(
  values: I,
  options: { padTo?: number } = {},
): OpResult<I, QuantizedInt8<I>, QuantizedInt8<I>> {
  return dispatch<I, QuantizedInt8<I>>('quantize_int8', [values], { pad_to: options.padTo ?? 32 }, (outputs) => {
    const [quantized, scales] = outputs as [I, I];
    return { quantized, scales };
  });
}
