// What a request may expect to miss so that it reaches its recall target, by what was measured when the model was published.
import type { RecallFacts, RecallShares } from '../manifest.js';

type Measured = Pick<RecallFacts, 'open' | 'narrowed'>;

/** Entries of the longest list that calibration asks for, without what rescoring adds. */
const MEASURED_LENGTH = 1000;

/** @param isNarrowed whether not all items are open to the request */
export function missesAllowed(length: number, recall: number, measured: Measured, isNarrowed: boolean): number {
  const shares = sharesFor(length, measured, isNarrowed).map((each) => shareFor(recall, each));
  return Math.min(...shares) * lengthCounted(length);
}

/** The recall of a request that expects to miss so many entries of its list. */
export function recallExpected(misses: number, length: number, measured: Measured, isNarrowed: boolean): number {
  const share = misses / lengthCounted(length);
  return Math.min(...sharesFor(length, measured, isNarrowed).map((each) => recallFor(share, each)));
}

/**
 * Beyond the lengths that were measured estimates promise too much (ten times the list cost 0.03 of recall on word vectors), so
 * a list of four times that length may miss half the share.
 */
function lengthCounted(length: number): number {
  return Math.min(length, Math.sqrt(length * MEASURED_LENGTH));
}

/** Those measured of the next shorter and the next longer list; of one list beyond all of them, as deep as others behind a filter. */
function sharesFor(length: number, { open, narrowed }: Measured, isNarrowed: boolean): RecallShares[] {
  if (isNarrowed) return [narrowed];
  const shorter = open.findLast(([measured]) => measured <= length);
  const longer = open.find(([measured]) => measured >= length);
  const known = [shorter, longer].flatMap((each) => (each === undefined ? [] : [each[1]]));
  return longer === undefined && length > MEASURED_LENGTH ? [...known, narrowed] : known;
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

/** The highest recall whose share is at least this one. */
function recallFor(share: number, shares: RecallShares): number {
  let after: RecallShares[0] = [1, 0];
  for (const before of [...shares.toReversed(), [0, 1] as const]) {
    if (share <= before[1]) {
      const way = before[1] === after[1] ? 0 : (share - after[1]) / (before[1] - after[1]);
      return after[0] + way * (before[0] - after[0]);
    }
    after = before;
  }
  return 0;
}
