import type { Input } from '../cases/l2_normalize.js';
import { widened } from './half.js';

/** Sum of squares in float64, ascending; the quotient is rounded to float32 once. */
export function l2Normalize({ x }: Input): Float32Array {
  const dim = x.shape.at(-1) as number;
  const values = widened(x);
  const y = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += dim) {
    const own = values.subarray(row, row + dim);
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    y.set(norm === 0 ? own : own.map((value) => value / norm), row);
  }
  return y;
}
