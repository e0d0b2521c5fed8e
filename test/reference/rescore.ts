import type { Input } from '../cases/rescore.js';
import { widened } from './half.js';

const { fround } = Math;

/** Candidate by candidate and head by head, every step rounded as the definition says. */
export function rescore({ users, vectors, index, metric }: Input): { scores: Float32Array } {
  const [batch, heads, dim] = users.shape as [number, number, number];
  const candidates = index.shape[1] as number;
  const rows = widened(vectors);
  const scores = new Float32Array(batch * candidates).fill(-Infinity);
  scores.forEach((_, i) => {
    const row = index.view()[i] as number;
    if (row === -1) return;
    const x = rows.subarray(row * dim, (row + 1) * dim);
    for (let h = 0; h < heads; h++) {
      const head = Math.floor(i / candidates) * heads + h;
      const score = scoreOf(users.view().subarray(head * dim, (head + 1) * dim), x, metric);
      if (score > (scores[i] as number)) scores[i] = score;
    }
  });
  return { scores };
}

function scoreOf(q: Float32Array, x: Float32Array, metric: Input['metric']): number {
  if (metric === 'l2') {
    const squares = x.map((value, d) => fround(fround((q[d] as number) - value) ** 2));
    return -sum([...squares], fround);
  }
  const products = x.map((value, d) => fround((q[d] as number) * value));
  const product = sum([...products], fround);
  if (metric === 'ip') return product;
  // Squares of float32 and their sums in float64: JavaScript's own numbers.
  const length = Math.sqrt(
    sum(
      Array.from(x, (value) => value * value),
      (value) => value,
    ),
  );
  return length === 0 ? 0 : fround(product / length);
}

/** 32 partial sums, by d mod 32, then their upper half added to the lower one until one is left. */
function sum(terms: number[], round: (value: number) => number): number {
  const add = (a: number, b: number) => round(a + b);
  let partial = Array.from({ length: 32 }, (_, lane) => terms.filter((_, d) => d % 32 === lane).reduce(add, 0));
  while (partial.length > 1) {
    const half = partial.length / 2;
    const upper = partial.slice(half);
    partial = partial.slice(0, half).map((value, i) => add(value, upper[i] as number));
  }
  return partial[0] as number;
}
