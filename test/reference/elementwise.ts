import type { Input } from '../cases/elementwise.js';
import { activations } from './activation.js';
import { widened } from './half.js';

/** One rounding per element. */
export function elementwise({ op, a, b }: Input): Float32Array {
  const second = b ? widened(b) : undefined;
  const width = a.shape.at(-1) ?? 1;
  const isPerRow = b?.shape.length === a.shape.length && b.shape.at(-1) === 1;
  return widened(a).map((x, i) => {
    const y = second?.[isPerRow ? Math.floor(i / width) : i % second.length] as number;
    if (op === 'add') return x + y;
    if (op === 'multiply') return x * y;
    return (activations[op] as (x: number) => number)(x);
  });
}
