/** One entry of a result list. */
export interface Ranked {
  score: number;
  id: number;
}

/** Score descending, NaN last, then id ascending; -0 equals +0. */
export function byRank(a: Ranked, b: Ranked): number {
  if (Number.isNaN(a.score) || Number.isNaN(b.score)) {
    return Number(Number.isNaN(a.score)) - Number(Number.isNaN(b.score)) || a.id - b.id;
  }
  return a.score < b.score ? 1 : a.score > b.score ? -1 : a.id - b.id;
}

/** The score as results give it: -0 as +0, every NaN the same. */
export function plainScore(score: number): number {
  return Number.isNaN(score) ? Number.NaN : score + 0;
}
