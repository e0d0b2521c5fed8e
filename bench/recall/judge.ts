// How good lists are: by the scores that their items truly have, so that of equal items either may come back.
import type { Asked, Case, Limits } from './cases.js';
import type { Heads, Truth } from './truth.js';

/** What a list must reach, from the truth. */
export interface Wanted {
  /** By depth: how many entries the true list has, and the lowest score among them. */
  depths: readonly { depth: number; entries: number; least: number }[];
  /** Items that may come back. */
  eligible: number;
}

/** Depths at which lists of `k` are compared. */
const depthsOf = (k: number): number[] => (k > 10 ? [10, k] : [k]);

/** Walks the true order past what may not come back. */
export function wanted({ k }: Case, { order, scores }: Asked, { allows }: Limits): Wanted {
  const best: number[] = [];
  let eligible = 0;
  for (const item of order) {
    if (!allows(item)) continue;
    eligible++;
    if (best.length < k) best.push(scores[item] as number);
  }
  const depths = depthsOf(k).map((depth) => {
    const entries = Math.min(depth, best.length);
    return { depth, entries, least: best[entries - 1] ?? Number.NEGATIVE_INFINITY };
  });
  return { depths, eligible };
}

/** One answer judged. */
export interface Judged {
  /** By depth, in the order of `Wanted`; undefined where nothing may come back. */
  recalls: readonly (number | undefined)[];
  /** Items that may not come back, and entries that are lacking or there twice. */
  violations: number;
  missing: number;
}

export function judge(
  ids: readonly number[],
  truth: Truth,
  { k }: Case,
  heads: Heads,
  limits: Limits,
  want: Wanted,
): Judged {
  const found = [...new Set(ids)];
  const scores = found.map((item) => truth.score(item, heads));
  const recalls = want.depths.map(({ depth, entries, least }) => {
    if (entries === 0) return undefined;
    const hits = scores.slice(0, depth).filter((score, at) => score >= least && limits.allows(found[at] as number));
    return hits.length / entries;
  });
  return {
    recalls,
    violations: ids.filter((item) => !limits.allows(item)).length,
    missing: Math.min(k, want.eligible) - found.length,
  };
}

/** Mean, the query at the end of the worst tenth, and the mean of that tenth. */
export function summary(recalls: readonly number[]): { mean: number; tenth: number; worst: number } {
  const sorted = recalls.toSorted((a, b) => a - b);
  const count = Math.max(1, Math.floor(sorted.length / 10));
  const mean = (some: readonly number[]) => some.reduce((sum, recall) => sum + recall, 0) / some.length;
  return {
    mean: mean(sorted),
    tenth: sorted[Math.min(count, sorted.length - 1)] as number,
    worst: mean(sorted.slice(0, count)),
  };
}
