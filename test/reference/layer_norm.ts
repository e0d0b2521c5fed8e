import type { Input } from '../cases/layer_norm.js';
import { widened } from './half.js';

/** Mean and biased variance in float64, ascending; then one rounding for each of normalised, * weight, + bias. */
export function layerNorm({ x, weight, bias, epsilon }: Input): Float32Array {
  const dim = x.shape.at(-1) as number;
  const [values, scale, shift] = [widened(x), weight && widened(weight), bias && widened(bias)];
  const y = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += dim) {
    const own = values.subarray(row, row + dim);
    const mean = own.reduce((sum, value) => sum + value, 0) / dim;
    const variance = own.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / dim;
    own.forEach((value, d) => {
      let normalised = Math.fround((value - mean) / Math.sqrt(variance + epsilon));
      if (scale) normalised = Math.fround(normalised * (scale[d] as number));
      y[row + d] = normalised + (shift ? (shift[d] as number) : -0);
    });
  }
  return y;
}
