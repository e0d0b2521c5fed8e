import type { Input } from '../cases/linear.js';
import { activations } from './activation.js';
import { fma } from './fma.js';
import { widened } from './half.js';

/** Rows [rows, in] times weights [out, in]: fma chains over ascending columns, starting at 0, then + bias, then activation. */
export function dense(
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array | undefined,
  [rows, width, out]: readonly [number, number, number],
  activation: string,
): Float32Array {
  const activate = activations[activation] as (x: number) => number;
  const y = new Float32Array(rows * out);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < out; o++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum = fma(x[row * width + k] as number, weight[o * width + k] as number, sum);
      if (bias) sum = Math.fround(sum + (bias[o] as number));
      y[row * out + o] = activate(sum);
    }
  }
  return y;
}

export function linear({ x, weight, bias, activation }: Input): Float32Array {
  const [rows, width] = x.shape as [number, number];
  return dense(
    widened(x),
    widened(weight),
    bias && widened(bias),
    [rows, width, weight.shape[0] as number],
    activation,
  );
}
