// Exact nearest neighbours in flat lists.

import { Truth } from '../../lib/index/truth.js';
import type { Vectors } from '../../lib/io/vectors.js';
import type { Metric } from './given_set.js';

/** Where entries of a missing item stand. */
const MISSING = -1;

/**
 * The `k` best rows of every query, the lower row first where two are equal; see `Truth`.
 *
 * @param eligible The only rows to look at, ascending; all of them where it is undefined.
 * @returns int32 [queries, k], best first; -1 where fewer are eligible.
 */
export async function exactNeighbours(
  rows: Vectors,
  queries: Vectors,
  k: number,
  { metric = 'ip', eligible }: { metric?: Metric; eligible?: Int32Array } = {},
): Promise<Int32Array> {
  const [count, dims] = queries.shape;
  const heads = Array.from({ length: count }, (_, i) => [queries.data.subarray(i * dims, (i + 1) * dims)]);
  const found = new Int32Array(count * k).fill(MISSING);
  for (const [i, list] of (await new Truth(rows, metric).lists(heads, { depth: k, eligible })).entries())
    found.set(list.rows, i * k);
  return found;
}
