// Items that stand in for queries where nobody gave real ones.
import { Random } from '../../data/random.js';
import { sampleRows } from '../sample_rows.js';

/** Queries made of items, and the items: whoever compares lists leaves them out of their own. */
export interface StandIns {
  /** float32 [queries, heads · dims]. */
  data: Float32Array;
  shape: readonly [queries: number, width: number];
  /** int32 [queries · heads]: ordinals. */
  items: Int32Array;
}

/** Drawn beyond what is wanted, since zero vectors and duplicates are left out. */
const SPARE = 2;

/**
 * A sample of distinct items that are no zero vectors, in random order; every head of a query is another item.
 *
 * @param data float32 [items, dims].
 * @param count Queries wanted; fewer come back where too few items are distinct, none where all are zero.
 */
export async function standInQueries(
  data: Float32Array,
  [items, dims]: readonly [items: number, dims: number],
  heads: number,
  count: number,
  seed: number,
): Promise<StandIns> {
  const random = new Random(seed);
  const drawn = random.shuffle([...(await sampleRows(items, Math.min(items, SPARE * count * heads), random))]);
  const known = new Set<string>();
  const distinct = drawn.filter((item) => {
    const row = data.subarray(item * dims, (item + 1) * dims);
    const key = row.join();
    if (known.has(key) || row.every((value) => value === 0)) return false;
    known.add(key);
    return true;
  });
  const queries = Math.min(count, Math.floor(distinct.length / heads));
  const chosen = Int32Array.from(distinct.slice(0, queries * heads));
  const rows = new Float32Array(chosen.length * dims);
  for (const [place, item] of chosen.entries()) rows.set(data.subarray(item * dims, (item + 1) * dims), place * dims);
  return { data: rows, shape: [queries, heads * dims], items: chosen };
}
