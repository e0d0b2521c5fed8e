import type { Input } from '../cases/filter_check.js';
import { exactMask } from './filter_eval.js';

/** Rows in `lo`, and those of the doubtful ones that really match. */
export function filterCheck(input: Input) {
  const everything = { ...input, live: allLive(input.live.view().length) };
  const truth = exactMask(everything);
  const mask = input.lo.view().map((lo, word) => {
    const doubtful = (input.hi.view()[word] as bigint) & ~lo;
    return lo | (doubtful & (truth[word] as bigint));
  });
  return { mask };
}

function allLive(words: number): Input['live'] {
  return { view: () => new BigInt64Array(words).fill(-1n) } as Input['live'];
}
