// What answers are worth: recall against exact lists, and what no answer may ever have.
import { K, recallOf } from '../data/standard_set.js';

/** Answers of several queries; those of query i are entries `offsets[i]` to `offsets[i + 1]`. */
export interface Answers {
  ids: Int32Array;
  offsets: Int32Array;
}

export interface Judgement {
  /** Share of the first `depth` exact neighbours that was found. */
  recall: number;
  depth: number;
  /** Items that the filter excludes. */
  violations: number;
  /** What lists lack of min(k, eligible) items. */
  missing: number;
}

/**
 * Judges answers to requests for `k` items.
 *
 * @param truth Exact lists under the same filter, int32 [queries, K].
 * @param mask One byte per item: 1 where it is eligible; undefined: all `items` are.
 * @param score The true score of an item; see `recallOf`.
 */
export function judge(
  { ids, offsets }: Answers,
  k: number,
  truth: Int32Array,
  items: number,
  mask?: Uint8Array,
  score?: (query: number, item: number) => number,
): Judgement {
  const queries = offsets.length - 1;
  const eligible = mask === undefined ? items : mask.reduce((sum, byte) => sum + byte, 0);
  const depth = Math.min(k, K);
  const found = new Int32Array(queries * K).fill(-1);
  let violations = 0;
  let missing = 0;
  for (let query = 0; query < queries; query++) {
    const list = ids.subarray(offsets[query], offsets[query + 1]);
    found.set(list.subarray(0, K), query * K);
    if (mask !== undefined) violations += list.reduce((sum, id) => sum + Number(mask[id] !== 1), 0);
    missing += Math.max(0, Math.min(k, eligible) - new Set(list).size);
  }
  const eligibleScore =
    score && ((query: number, item: number) => (mask?.[item] === 0 ? Number.NEGATIVE_INFINITY : score(query, item)));
  return { recall: recallOf(found, truth, queries, depth, eligibleScore), depth, violations, missing };
}
