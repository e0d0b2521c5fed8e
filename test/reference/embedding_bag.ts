import type { Input } from '../cases/embedding_bag.js';
import { fma } from './fma.js';
import { widened } from './half.js';

/** Rows are added in the order of the ids, one float32 operation each. */
export function embeddingBag({ table, ids, offsets, mode, weights }: Input): Float32Array {
  const dim = table.shape[1] as number;
  const [rows, starts, own] = [widened(table), offsets.view(), weights && widened(weights)];
  const y = new Float32Array(starts.length * dim);
  starts.forEach((start, bag) => {
    const sum = y.subarray(bag * dim, (bag + 1) * dim);
    const bagIds = ids.view().subarray(start, starts[bag + 1]);
    let total = 0;
    bagIds.forEach((id, i) => {
      const weight = own?.[start + i];
      for (let d = 0; d < dim; d++) {
        const [x, before] = [rows[id * dim + d] as number, sum[d] as number];
        sum[d] = weight === undefined ? before + x : fma(x, weight, before);
      }
      total = Math.fround(total + (weight ?? 1));
    });
    if (mode === 'mean' && bagIds.length > 0) sum.set(sum.map((x) => x / total));
  });
  return y;
}
