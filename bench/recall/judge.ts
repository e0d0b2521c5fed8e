// How good lists are: by the scores that their items truly have, so that of equal items either may come back.
import { shareFound, type TrueList } from '../../lib/index/truth.js';
import type { Asked, Case, Limits } from './cases.js';

/** What may come back, from the truth. */
export interface Wanted {
  /** The best of it. */
  list: TrueList;
  /** All of it. */
  eligible: number;
}

/** Depths at which lists of `k` are compared. */
export const depthsOf = (k: number): number[] => (k > 10 ? [10, k] : [k]);

/** Walks the true order past what may not come back. */
export function wanted({ k }: Case, { order, scores }: Asked, { allows }: Limits): Wanted {
  const rows: number[] = [];
  let eligible = 0;
  for (const item of order) {
    if (!allows(item)) continue;
    eligible++;
    if (rows.length < k) rows.push(item);
  }
  const list = { rows: Int32Array.from(rows), scores: Float64Array.from(rows, (row) => scores[row] as number) };
  return { list, eligible };
}

/** One answer judged. */
export interface Judged {
  /** By depth, see `depthsOf`; undefined where nothing may come back. */
  recalls: readonly (number | undefined)[];
  /** By depth: share of the first true entries that is anywhere in the list; better where only their order is lost. */
  held: readonly (number | undefined)[];
  /** Items that may not come back, and entries that are lacking or there twice. */
  violations: number;
  missing: number;
}

/** @param score The true score of an item. */
export function judge(
  ids: readonly number[],
  { k }: Case,
  { allows }: Limits,
  { list, eligible }: Wanted,
  score: (item: number) => number,
): Judged {
  const judged = (item: number) => (allows(item) ? score(item) : Number.NEGATIVE_INFINITY);
  return {
    recalls: depthsOf(k).map((depth) => shareFound(list, depth, ids, judged)),
    held: depthsOf(k).map((depth) => shareHeld(list, depth, ids, judged)),
    violations: ids.filter((item) => !allows(item)).length,
    missing: Math.min(k, eligible) - new Set(ids).size,
  };
}

function shareHeld({ scores }: TrueList, depth: number, ids: readonly number[], score: (item: number) => number) {
  const entries = Math.min(depth, scores.length);
  const least = scores[entries - 1];
  if (least === undefined) return undefined;
  return Math.min(1, [...new Set(ids)].filter((item) => score(item) >= least).length / entries);
}

/** Mean, the query at the end of the worst tenth, and the mean of that tenth. */
export function summary(recalls: readonly number[]): { mean: number; tenth: number; worst: number } {
  const sorted = recalls.toSorted((a, b) => a - b);
  const count = Math.max(1, Math.floor(sorted.length / 10));
  const mean = (some: readonly number[]) => some.reduce((sum, recall) => sum + recall, 0) / some.length;
  const tenth = sorted[Math.min(count, sorted.length - 1)] as number;
  return { mean: mean(sorted), tenth, worst: mean(sorted.slice(0, count)) };
}
