// How much of the true order int8 scores lose where scores lie close together.
import { quantizeInt8 } from '../../ops/quantize_int8.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { inTurns } from '../progress.js';
import type { SampleQueries } from './sample.js';
import type { SampleList } from './tail.js';

/** Ranks from which on the best few are looked at: a user has seen those before. */
const SEEN = [0, 100, 300];
const BEST = 10;

/** int8 rows of an index, by item. */
export interface Int8Rows {
  /** int8 [N, Dp], and the row of every item. */
  rows: Tensor;
  rowOf: Int32Array;
  /** float32 [N]. */
  scales: Float32Array;
  bias: Float32Array | undefined;
}

/**
 * Mean share of the true best 10, also from rank 100 and 300 of the true lists on, that are the best 10 by int8 scores: the least
 * of the three. 1 where the lists are too short to tell.
 */
export async function int8Recall(
  index: Int8Rows,
  queries: SampleQueries,
  lists: readonly SampleList[],
): Promise<number> {
  if (queries.count === 0) return 1;
  const dims = queries.vectors.length / queries.count;
  const { quantized, scales } = await quantizeInt8(tensor(queries.vectors, { shape: [queries.count, dims] }) as Tensor);
  const width = quantized.shape[1] as number;
  const queryScales = scales.view() as Float32Array;
  const [values, asked] = [index.rows.view() as Int8Array, quantized.view() as Int8Array];
  const sums = SEEN.map(() => 0);
  const counts = SEEN.map(() => 0);
  await inTurns(lists.length, (query) => {
    const { items } = lists[query] as SampleList;
    const scores = Float64Array.from(items, (item) => {
      const row = index.rowOf[item] as number;
      let dot = 0;
      for (let d = 0; d < width; d++) dot += (values[row * width + d] as number) * (asked[query * width + d] as number);
      return dot * (index.scales[row] as number) * (queryScales[query] as number) + (index.bias?.[row] ?? 0);
    });
    SEEN.forEach((seen, i) => {
      if (items.length < seen + 2 * BEST) return;
      const order = Array.from({ length: items.length - seen }, (_, at) => seen + at);
      order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
      const found = order.slice(0, BEST).filter((at) => at < seen + BEST).length;
      sums[i] = (sums[i] as number) + found / BEST;
      counts[i] = (counts[i] as number) + 1;
    });
  });
  return Math.min(1, ...sums.map((sum, i) => (counts[i] === 0 ? 1 : sum / (counts[i] as number))));
}
