// Exact search by brute force: what approximate results are judged by.
import { setImmediate as breathe } from 'node:timers/promises';
import type { OnProgress } from './progress.js';

/** Vectors, one per row. */
export interface Matrix {
  data: Float32Array;
  shape: readonly [number, number];
}

/** Inner product of the query with one row, in float64. */
export function exactScore(query: Float32Array, { data, shape: [, dims] }: Matrix, row: number): number {
  let score = 0;
  for (let d = 0; d < dims; d++) score += (query[d] as number) * (data[row * dims + d] as number);
  return score;
}

/** The k rows of largest inner product with the query, best first, summed in float64; without those in `seen`. */
export function exactTopK(query: Float32Array, rows: Matrix, k: number, seen: Iterable<number> = []): Int32Array {
  const left = new Set(seen);
  const ids = new Int32Array(k);
  const scores = new Float64Array(k);
  let found = 0;
  for (let row = 0; row < rows.shape[0]; row++) {
    const score = exactScore(query, rows, row);
    if ((found === k && score <= (scores[k - 1] as number)) || left.has(row)) continue;
    let place = found < k ? found++ : k - 1;
    for (; place > 0 && (scores[place - 1] as number) < score; place--) {
      scores[place] = scores[place - 1] as number;
      ids[place] = ids[place - 1] as number;
    }
    scores[place] = score;
    ids[place] = row;
  }
  return ids.subarray(0, found);
}

/** The same for many queries; the event loop runs in between. */
export async function exactTopKs(
  queries: readonly { embedding: Float32Array; seen?: Iterable<number> }[],
  rows: Matrix,
  k: number,
  onProgress?: OnProgress,
): Promise<Int32Array[]> {
  const lists: Int32Array[] = [];
  for (const { embedding, seen } of queries) {
    lists.push(exactTopK(embedding, rows, k, seen));
    if (lists.length % 16 !== 0) continue;
    onProgress?.('exact search', lists.length, queries.length);
    await breathe();
  }
  return lists;
}
