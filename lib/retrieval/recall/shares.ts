import type { RecallShares } from '../manifest.js';

/** Entries of the longest list that calibration asks for. */
const MEASURED_LENGTH = 1000;

/**
 * Entries of its list that a request may expect to miss. Beyond the lengths that were measured estimates promise too much (ten
 * times the list cost 0.03 of recall on word vectors), so a list of four times that length may miss half the share.
 */
export function missesAllowed(length: number, recall: number, shares: RecallShares): number {
  return shareFor(recall, shares) * Math.min(length, Math.sqrt(length * MEASURED_LENGTH));
}

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
