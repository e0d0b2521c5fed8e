// The highest rate that a side holds.

/** How a search goes. */
export interface RateSearch {
  /** Requests per second to begin with; the better the guess, the fewer trials. */
  start: number;
  /** Found when the bracket is no wider than this share of the rate. */
  tolerance: number;
  /** Trials at most. */
  maxTrials: number;
}

/**
 * Doubles or halves the rate until one holds and a higher one does not, then halves the bracket, geometrically.
 *
 * @param holds Whether the side keeps the budget at a rate.
 * @returns The highest rate that held; 0 when none did.
 */
export async function highestRate(
  holds: (rate: number) => Promise<boolean>,
  { start, tolerance, maxTrials }: RateSearch,
): Promise<number> {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let rate = start;
  for (let trial = 0; trial < maxTrials && high > low * (1 + tolerance); trial++) {
    if (await holds(rate)) low = rate;
    else high = rate;
    if (high === Number.POSITIVE_INFINITY) rate = 2 * low;
    else if (low === 0) rate = high / 2;
    else rate = Math.sqrt(low * high);
  }
  return low;
}
