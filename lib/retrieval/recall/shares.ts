import type { RecallShares } from '../manifest.js';

/** The share of a list that may be missed, by interpolation between the targets that were measured. */
export function shareFor(recall: number, shares: RecallShares): number {
  let before = shares[0] as RecallShares[0];
  let after: RecallShares[0] = [1, 0];
  for (const pair of shares) {
    if (pair[0] <= recall) before = pair;
    else {
      after = pair;
      break;
    }
  }
  if (recall <= before[0]) return before[1];
  const way = (recall - before[0]) / (after[0] - before[0]);
  return before[1] + way * (after[1] - before[1]);
}
