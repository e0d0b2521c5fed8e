import type { Input } from '../cases/elementwise.js';
import { activations } from './activation.js';
import { widened } from './half.js';

/** One rounding per element. */
export function elementwise({ op, a, b }: Input): Float32Array {
  const second = b ? widened(b) : undefined;
  return widened(a).map((x, i) => {
    const y = second?.[i % second.length] as number;
    if (op === 'add') return x + y;
    if (op === 'multiply') return x * y;
    return (activations[op] as (x: number) => number)(x);
  });
}
