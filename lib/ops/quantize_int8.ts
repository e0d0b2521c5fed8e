import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Result of `quantizeInt8`. */
export interface QuantizedInt8<I extends AnyTensor> {
  /** int8 [..., Dp] in [-127, 127]; the tail beyond D is zero. */
  quantized: As<I, 'int8'>;
  /** float32 [...]: `max|x| / 127`; 0 for a zero row. */
  scales: As<I, 'float32'>;
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
): OpResult<I, QuantizedInt8<I>> {
  return dispatch<I, QuantizedInt8<I>>('quantize_int8', [values], { pad_to: options.padTo ?? 32 }, (outputs) => {
    const [quantized, scales] = outputs;
    return { quantized, scales };
  });
}
